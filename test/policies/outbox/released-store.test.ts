/** A pipeline does not use its store after `close()`. */
import { describe, expect, test } from 'vitest';
import { ClosedError } from '../../../src/core/errors.ts';
import type { Outbox } from '../../../src/policies/outbox/outbox.ts';
import type { VirtualClock } from '../../../src/testing.ts';
import { durableStore } from '../../support/durable.ts';
import { page, settle } from '../../support/outbox-page.ts';
import { give } from '../../support/outbox-writes.ts';

/** A store that records its operations, and those after close. */
const make = () => {
  const store = durableStore();
  let busy = <T>(work: Promise<T>): Promise<T> => work;
  const state = {
    operations: 0,
    underWay: 0,
    underWayAtClose: -1,
    later: 0,
    gates: {} as Record<string, Promise<void> | undefined>,
  };
  for (const name of [
    'get',
    'body',
    'range',
    'rangeWithBodies',
    'groups',
    'count',
    'write',
    'change',
  ] as const) {
    const own = store[name] as (...args: never[]) => Promise<unknown>;
    (store as unknown as Record<string, unknown>)[name] = async (...args: never[]) => {
      if (state.underWayAtClose >= 0) state.later++;
      state.operations++;
      state.underWay++;
      try {
        if (state.gates[name]) await busy(state.gates[name]);
        return await own(...args);
      } finally {
        state.underWay--;
      }
    };
  }
  store.close = async () => {
    state.underWayAtClose = state.underWay;
  };
  return {
    store,
    state,
    by: (clock: VirtualClock) => {
      busy = (work) => clock.busy(work);
    },
  };
};

describe('a closed store', () => {
  test('a write that is being committed does not use a closed store', async () => {
    const { store, state, by } = make();
    const here = page({}, store);
    by(here.clock);
    let letGo = (): void => {};
    state.gates.change = new Promise((done) => {
      letGo = done;
    });
    const given = give(here, 'a').catch((error) => error);
    await settle();
    expect(state.underWay).toBe(1);
    const closed = here.fetch.close();
    await settle();
    letGo();
    await closed;
    expect(await given).toBeInstanceOf(ClosedError);
    await settle();
    expect(state).toMatchObject({ underWayAtClose: 0, later: 0 });
  });

  test.each([
    ['a purge', (box: Outbox) => box.purge()],
    ['a clear', (box: Outbox) => box.clear()],
    ['an edit', (box: Outbox) => box.edit('a', (request) => new Request(request, { body: 'b' }))],
  ])('%s that is under way does not use a closed store', async (_, call) => {
    const { store, state, by } = make();
    const here = page({ expiresAfter: '1s' }, store);
    by(here.clock);
    here.host.connectivity.set(false);
    await give(here, 'a', { id: 'a' });
    await give(here, 'b', { id: 'b' });
    await here.clock.advance(2_000);
    here.host.connectivity.set(true);
    await settle();
    expect(await here.outbox.counts()).toMatchObject({ deadLetters: 2 });
    let letGo = (): void => {};
    state.gates.change = new Promise((done) => {
      letGo = done;
    });
    const work = call(here.outbox).catch(() => {});
    await settle();
    const closed = here.fetch.close();
    await settle();
    letGo();
    await closed;
    await work;
    await settle();
    expect(state).toMatchObject({ underWayAtClose: 0, later: 0 });
  });

  test.each([
    ['counts', (box: Outbox) => box.counts()],
    ['pause', (box: Outbox) => box.pause()],
    ['resume', (box: Outbox) => box.resume()],
    ['flush', (box: Outbox) => box.flush()],
    ['clear', (box: Outbox) => box.clear()],
  ])('%s that comes too late does not use a closed store', async (_, call) => {
    const { store, state } = make();
    const here = page({}, store);
    await here.fetch.close();
    await expect(call(here.outbox)).rejects.toThrow(ClosedError);
    expect(state.later).toBe(0);
  });

  test('a closing pipeline starts no new operation while the last ones end', async () => {
    const { store, state, by } = make();
    const here = page({}, store);
    by(here.clock);
    let letGo = (): void => {};
    state.gates.change = new Promise((done) => {
      letGo = done;
    });
    const given = give(here, 'a').catch(() => {});
    await settle();
    const closed = here.fetch.close();
    const { operations } = state;
    await expect(here.outbox.counts()).rejects.toThrow(ClosedError);
    expect(state.operations).toBe(operations);
    letGo();
    await Promise.all([closed, given]);
  });
});
