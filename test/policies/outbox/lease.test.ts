import { describe, expect, test } from 'vitest';
import { readOutboxOptions } from '../../../src/policies/outbox/options.ts';
import { prepareInsert } from '../../../src/policies/outbox/queue/insert.ts';
import { Lease } from '../../../src/policies/outbox/queue/lease.ts';
import { setPaused } from '../../../src/policies/outbox/queue/pauses.ts';
import { Queue } from '../../../src/policies/outbox/queue/queue.ts';
import {
  acknowledge,
  deadLetter,
  replaceRequest,
  update,
} from '../../../src/policies/outbox/queue/transitions.ts';
import { memoryStore } from '../../../src/stores/memory.ts';
import { hang, ok, status, testHost } from '../../../src/testing.ts';
import { deferred } from '../../support/deferred.ts';
import { durableStore } from '../../support/durable.ts';
import { type Page, page, reloaded, settle, URL_ } from '../../support/outbox-page.ts';

const LANE = { key: 'lease default ann lane', collection: 'lease default ann' };

/** A store of processes that share no locks. */
const shared = () => ({ ...durableStore(), withinOrigin: false });

const post = ({ fetch }: Page, body: string) =>
  fetch(URL_, { method: 'POST', body, holdfast: { outbox: { id: body, lane: 'lane' } } });

/** Another page takes the lease of a lane, as after half a minute of sleep. */
async function takeLease({ store, clock }: Page): Promise<void> {
  const [lease] = await store.range({ prefix: 'lease' });
  const value = { holder: 'other', token: 9, until: clock.now() + 30_000 };
  await store.write([{ put: { ...(lease as object), key: lease?.key as string, value } }]);
}

describe('a lease', () => {
  test('a lease has one holder, until it is released', async () => {
    const [store, host] = [memoryStore(), testHost()];
    const lease = (await Lease.take(store, LANE, host)) as Lease;
    expect(await Lease.take(store, LANE, host)).toBe(30_000);
    await lease.release();
    const next = (await Lease.take(store, LANE, host)) as Lease;
    expect(next.token).toBe(lease.token + 1);
    await next.release();
  });

  test('a lease is renewed as long as its task runs', async () => {
    const [store, host] = [memoryStore(), testHost()];
    const lease = (await Lease.take(store, LANE, host)) as Lease;
    await host.clock.advance(300_000);
    expect(lease.lost).toBe(false);
    expect(await Lease.take(store, LANE, host)).toBeGreaterThan(0);
    await lease.release();
    await host.clock.advance(300_000);
    expect(await Lease.take(store, LANE, host)).toBeInstanceOf(Lease);
  });

  test('a lease is lost during sleep, and its holder knows that when it wakes', async () => {
    const store = memoryStore();
    const [sleeper, other] = [testHost(), testHost({ seed: 2 })];
    const lease = (await Lease.take(store, LANE, sleeper)) as Lease;
    await other.clock.advance(30_001);
    const next = (await Lease.take(store, LANE, other)) as Lease;
    expect(next).toBeInstanceOf(Lease);
    await sleeper.clock.advance(10_000);
    expect(lease.lost).toBe(true);
    // It has nothing to release.
    await lease.release();
    expect(typeof (await Lease.take(store, LANE, other))).toBe('number');
  });

  test('a lease does not last longer because the clock was set back', async () => {
    const store = memoryStore();
    const [late, now] = [testHost(), testHost({ seed: 2 })];
    await late.clock.advance(86_400_000);
    await Lease.take(store, LANE, late);
    expect(await Lease.take(store, LANE, now)).toBeInstanceOf(Lease);
  });
});

test('a holder that lost its lease changes no waiting entry, but its delivery stands', async () => {
  const [store, host] = [shared(), testHost()];
  const settings = readOutboxOptions({}, store);
  const queue = new Queue('default', settings);
  const draft = (body: string) => ({
    idempotencyKey: `"${body}"`,
    partition: 'ann',
    lane: 'lane',
    origin: 'https://api.example.com',
    state: 'waiting' as const,
    acceptedAt: host.clock.now(),
    expiresAt: Infinity,
    notBefore: 0,
    attempts: 0,
    request: {} as never,
    size: 0,
    options: {},
  });
  const accept = async (body: string) => {
    const accepted = await (await prepareInsert(queue, settings, draft(body), undefined, body))(() => {});
    if (!accepted) throw new Error('it was not accepted');
    return accepted.entry;
  };
  const [first, second] = [await accept('1'), await accept('2')];
  const old = (await Lease.take(store, LANE, host)) as Lease;
  await old.release();
  const fresh = (await Lease.take(store, LANE, host)) as Lease;
  const reason = { code: 'http', status: 503 };
  const { request, size, origin } = first;
  const content = { request, size, origin, key: undefined, body: 'another', omittedHeaders: [] };
  const result = { result: { id: '1', finishedAt: 0, delivered: true }, body: undefined };
  expect(await update(queue, first, { attempts: 7 }, old)).toBe(false);
  expect(await deadLetter(queue, first, {}, reason, result, { lease: old })).toBe(false);
  expect(await replaceRequest(queue, first, content, host, {}, old)).toBe(false);
  expect((await queue.get(first.key))?.attempts).toBe(0);
  expect(await update(queue, first, { attempts: 1 }, fresh)).toBe(true);
  expect(await acknowledge(queue, first, result, { lease: old })).toBe(true);
  expect(await acknowledge(queue, first, result, { lease: fresh })).toBe(false);
  expect(await deadLetter(queue, second, {}, reason, result, { lease: fresh })).toBe(true);
});

describe('a store without locks', () => {
  test('a lane that another page sends is left to that page, and taken over after its end', async () => {
    const store = shared();
    const other = testHost({ seed: 2 });
    await Lease.take(store, LANE, other);
    const here = page({}, store);
    expect((await post(here, '1')).status).toBe(202);
    await here.clock.advance(20_000);
    expect(here.origin.seen).toHaveLength(0);
    // It ended without releasing its lane.
    await here.clock.advance(15_000);
    expect(here.origin.seen).toHaveLength(1);
    expect(await here.outbox.counts()).toMatchObject({ waiting: 0 });
  });

  test('writes are delivered in order, and a page that closes releases its lanes', async () => {
    const before = page({}, shared());
    before.origin.replies(hang());
    const response = post(before, '1').catch(() => {});
    await settle();
    const here = await reloaded(before);
    await response;
    here.origin.otherwise(() => ok());
    await post(here, '2');
    await here.clock.advance(20_000);
    expect(here.origin.seen.map(({ body }) => body)).toEqual(['1', '1', '2']);
  });
});

test('a blocking dead letter stops its lane even if the lease has just been lost', async () => {
  const store = shared();
  const here = page({ blockLaneOnFailure: true }, store);
  here.host.connectivity.set(false);
  await post(here, 'a');
  await post(here, 'b');
  here.origin.replies(async () => {
    await takeLease(here);
    return status(422);
  }, ok());
  here.host.connectivity.set(true);
  await settle();
  expect(here.origin.seen.map(({ body }) => body)).toEqual(['a']);
});

test('a sender that loses the lane while it sends acknowledges that entry, and sends no other', async () => {
  const store = shared();
  const here = page({}, store);
  here.host.connectivity.set(false);
  await post(here, 'deleted');
  await post(here, 'made anew');
  here.origin.replies(async () => {
    await takeLease(here);
    return ok();
  });
  here.host.connectivity.set(true);
  for (let turn = 0; turn < 5; turn++) await settle();
  expect(here.origin.seen.map(({ body }) => body)).toEqual(['deleted']);
  expect((await here.outbox.entries()).map(({ id }) => id)).toEqual(['made anew']);
});

test('a pause of another process, of which no message comes, holds from the next entry on', async () => {
  const store = shared();
  const here = page({}, store);
  here.host.connectivity.set(false);
  await post(here, 'a');
  await post(here, 'b');
  const queue = new Queue('default', { store, encryption: undefined });
  here.origin.replies(async () => {
    await setPaused(queue, 'ann', undefined, true);
    return ok();
  }, ok());
  here.host.connectivity.set(true);
  for (let turn = 0; turn < 3; turn++) await settle();
  expect(here.origin.seen.map(({ body }) => body)).toEqual(['a']);
});

test('a sender that slept for longer than the lease sends nothing more, even before a timer fires', async () => {
  const store = shared();
  let asleep: (() => Promise<void>) | undefined;
  const here = page({ authorize: () => asleep?.() }, store);
  here.host.connectivity.set(false);
  await post(here, 'a');
  const hook = deferred<void>(here);
  asleep = hook.work;
  here.host.connectivity.set(true);
  for (let turn = 0; turn < 3; turn++) await settle();
  // Wall time has passed, and ticks have not.
  here.clock.jump(3_600_000);
  asleep = undefined;
  hook.resolve();
  for (let turn = 0; turn < 3; turn++) await settle();
  expect(here.origin.seen).toHaveLength(0);
});

test('an at-most-once entry that was delivered is no dead letter, though its lane was lost', async () => {
  const store = shared();
  const here = page({ delivery: 'at-most-once' }, store);
  here.host.connectivity.set(false);
  await post(here, 'a');
  here.origin.replies(async () => {
    await takeLease(here);
    return ok();
  });
  here.host.connectivity.set(true);
  await settle();
  expect(await here.outbox.counts()).toMatchObject({ waiting: 0, deadLetters: 0 });
});
