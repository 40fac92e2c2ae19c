/** Processes that share a store, and neither locks nor clocks. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { pipeline } from '../../../src/core/pipeline.ts';
import type { AtomicStore } from '../../../src/core/store.ts';
import { Lease } from '../../../src/policies/outbox/queue/lease.ts';
import { memoryStore } from '../../../src/stores/memory.ts';
import { ok, testHost, virtualClock } from '../../../src/testing.ts';
import { inOtherRealm, otherBundle } from '../../support/bundles.ts';
import { durableStore } from '../../support/durable.ts';
import { closeAfterTest, type Page, page, settle, URL_ } from '../../support/outbox-page.ts';

const LANE = { key: 'lease default ann lane', collection: 'lease default ann' };
const shared = () => ({ ...durableStore(), withinOrigin: false });

const give = (made: Page, body: string, outbox: object = {}) =>
  made.fetch(URL_, { method: 'POST', body, holdfast: { outbox: { lane: 'lane', ...outbox } } });

/**
 * Another process on the same store: an outbox module of its own. @param behind How much its clock
 * is.
 */
async function otherProcess(store: AtomicStore, { clock, origin }: Page, behind = 0, fetch = origin.fetch) {
  const other = await otherBundle('other-process');
  const outbox = other({ store, pollInterval: '1h', delivery: 'at-most-once' }, memoryStore);
  const own = Object.assign(Object.create(clock), { now: () => clock.now() - behind }) as typeof clock;
  const host = { ...testHost({ seed: 9 }), clock: own };
  const process = inOtherRealm(() => pipeline([outbox], { partition: 'ann', host, fetch }));
  closeAfterTest(process);
  return { outbox, fetch: process };
}

/** Processes have no locks in common. */
beforeEach(() => {
  const request = (_: string, __: object, task: () => Promise<unknown>) => task();
  vi.stubGlobal('navigator', { locks: { request } });
});
afterEach(() => {
  vi.unstubAllGlobals();
});

describe('a lease', () => {
  test('a lease holds against a process whose clock is a little behind', async () => {
    const store = memoryStore();
    const start = Date.UTC(2026, 0, 1);
    const here = testHost({ clock: virtualClock({ start }) });
    const there = testHost({ seed: 2, clock: virtualClock({ start: start - 20 }) });
    const lease = (await Lease.take(store, LANE, here)) as Lease;
    const taken = await Lease.take(store, LANE, there);
    await lease.release();
    if (typeof taken !== 'number') await taken.release();
    expect(taken).toBeTypeOf('number');
  });

  test('a lease that was released during its renewal is not renewed for ever', async () => {
    const inner = memoryStore();
    let line: Promise<unknown> = Promise.resolve();
    let letGo = (): void => {};
    // Slow, one after the other.
    const change = (...args: Parameters<typeof inner.change>) => {
      const own = line.then(() => inner.change(...args));
      line = own;
      return own;
    };
    const store = { ...inner, change } as typeof inner;
    const host = testHost();
    const lease = (await Lease.take(store, LANE, host)) as Lease;
    line = new Promise<void>((give) => {
      letGo = give;
    });
    await host.clock.advance(10_000);
    // The renewal is under way when the lane is released.
    const released = lease.release();
    letGo();
    await released;
    await settle();
    expect(host.clock.pending).toBe(0);
    await host.clock.advance(60_000);
    expect(await Lease.take(inner, LANE, testHost({ clock: host.clock }))).not.toBeTypeOf('number');
  });

  test('clear of one user deletes no lease of another', async () => {
    const store = shared();
    const here = page({}, store);
    const lease = (await Lease.take(store, LANE, testHost({ seed: 3, clock: here.clock }))) as Lease;
    expect(lease.token).toBe(1);
    await here.outbox.clear();
    const next = await Lease.take(store, LANE, testHost({ seed: 4, clock: here.clock }));
    // Two with one token: neither learns of the other.
    const tokens = [lease.token, typeof next === 'number' ? undefined : next.token];
    await here.clock.advance(11_000);
    const both = !lease.lost && typeof next !== 'number' && !next.lost;
    await lease.release();
    if (typeof next !== 'number') await next.release();
    expect({ tokens, both }).toEqual({ tokens: [1, undefined], both: false });
  });
});

describe('two processes', () => {
  test('two processes, one 20 ms behind, do not send one write at once', async () => {
    const store = shared();
    const here = page({}, store);
    here.host.connectivity.set(false);
    await give(here, 'a');
    let underWay = 0;
    let most = 0;
    let letGo = (): void => {};
    const gate = new Promise<void>((free) => {
      letGo = free;
    });
    here.origin.otherwise(async () => {
      most = Math.max(most, ++underWay);
      await here.clock.busy(gate);
      underWay--;
      return ok();
    });
    const there = await otherProcess(store, here, 20);
    here.host.connectivity.set(true);
    await settle();
    expect(here.origin.seen).toHaveLength(1);
    void there.outbox.flush();
    await settle();
    letGo();
    await settle();
    expect(most).toBe(1);
  });

  test('a process that was frozen for longer than its lease sends no at-most-once write again', async () => {
    const store = shared();
    let signed = (): void => {};
    let isSigning = false;
    const here = page(
      {
        delivery: 'at-most-once',
        authorize: () => {
          isSigning = true;
          const hook = new Promise<void>((give) => {
            signed = give;
          });
          return here.clock.busy(hook);
        },
      },
      store,
    );
    here.host.connectivity.set(false);
    await give(here, 'a');
    here.host.connectivity.set(true);
    await settle();
    expect(isSigning).toBe(true);
    const there = await otherProcess(store, here);
    let letGo = (): void => {};
    const response = new Promise<Response>((give) => {
      letGo = () => give(ok());
    });
    here.origin.replies(() => here.clock.busy(response));
    // It was frozen for a minute, as far as the lease goes: wall time has passed, and no timer has
    // fired.
    here.clock.jump(31_000);
    void there.outbox.flush();
    await settle();
    expect(here.origin.seen).toHaveLength(1);
    // Now the first goes on where it was.
    signed();
    await settle();
    letGo();
    await settle();
    expect(here.origin.seen.map(({ body }) => body)).toEqual(['a']);
  });
});
