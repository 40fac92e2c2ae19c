import { expect, test } from 'vitest';
import { createFetch } from '../../src/client/fetch.ts';
import type { HoldfastEvent } from '../../src/core/events.ts';
import { faults } from '../../src/devtools/faults.ts';
import { holdOf } from '../../src/devtools/holds.ts';
import { ClientSource } from '../../src/devtools/source.ts';
import { breaker } from '../../src/policies/breaker/breaker.ts';

const ORIGIN = 'https://api.example.com';

/** A client that is watched. */
function watched() {
  const net = faults(async () => new Response('ok', { headers: { 'set-token': 'abc', 'x-plain': '1' } }));
  const circuits = breaker();
  const fetch = createFetch({ fetch: net.fetch, breaker: circuits, retry: false });
  let changes = 0;
  const source = new ClientSource(fetch, { breaker: circuits, faults: net }, 'client 1', () => changes++);
  return { fetch, net, circuits, source, changes: () => changes };
}

test('a call has the headers of its request and response, without secrets', async () => {
  const { fetch, source } = watched();
  await fetch(`${ORIGIN}/orders`, { headers: { authorization: 'Bearer secret-1', 'x-page': '2' } });
  const call = source.model.calls.ring.at(0);
  expect(call?.request).toContainEqual(['x-page', '2']);
  expect(call?.response).toContainEqual(['x-plain', '1']);
  expect(JSON.stringify(call)).not.toContain('secret-1');
  await fetch.close();
});

test('the summary has the open circuits, also those that events alone tell of', async () => {
  const { fetch, circuits, source } = watched();
  circuits.isolate(ORIGIN);
  expect(source.summary()).toMatchObject({ openCircuits: 1, waiting: 0, dead: 0 });
  const other = new ClientSource(fetch, {}, 'client 2', () => {});
  circuits.reset(ORIGIN);
  circuits.isolate(ORIGIN);
  expect(other.summary().openCircuits).toBe(1);
  await fetch.close();
});

test('a sending of a write that an earlier page queued has its method and URL, though it was not sent', async () => {
  let emit: (event: HoldfastEvent) => void = () => {};
  const asked: string[] = [];
  const box = {
    request: async (id: string) => {
      asked.push(id);
      if (id === 'broken') throw new Error('the store has failed');
      return id === 'gone' ? undefined : new Request(`${ORIGIN}/orders/7?token=hunter2`, { method: 'PUT' });
    },
    subscribe: () => () => {},
  };
  const known = Promise.withResolvers<void>();
  const client = {
    subscribe(listener: typeof emit) {
      emit = listener;
      return () => {};
    },
  };
  const source = new ClientSource(client, { outbox: box as never }, 'client 1', () => {
    if (source.model.calls.get('call-kept')?.method === 'PUT') known.resolve();
  });
  for (const id of ['gone', 'broken', 'kept', 'kept'])
    emit({ type: 'sending', id, origin: ORIGIN, lane: 'orders', attempt: 1, callId: `call-${id}` });
  await known.promise;
  expect(source.model.calls.get('call-kept')?.url).toBe(`${ORIGIN}/orders/7?token=…`);
  expect(source.model.calls.get('call-gone')?.url).toBe('api.example.com, lane orders');
  expect(asked).toEqual(['gone', 'broken', 'kept']);
});

test('a source that is closed hears nothing more', async () => {
  const { fetch, source, changes } = watched();
  source.close();
  const before = changes();
  await fetch(`${ORIGIN}/orders`);
  expect(changes()).toBe(before);
  expect(source.model.version).toBe(0);
  await fetch.close();
});

test('an entry behind one that cannot be decrypted says what is ahead', async () => {
  const entry = (id: string, url: string) =>
    ({
      id,
      key: id,
      lane: 'lane',
      state: 'waiting',
      notBefore: 0,
      request: { method: 'POST', url },
    }) as never;
  const [unreadable, behind] = [entry('a', ''), entry('b', `${ORIGIN}/orders`)];
  const box = {
    entries: async ({ state }: { state: string }) => (state === 'waiting' ? [unreadable, behind] : []),
    subscribe: () => () => {},
  };
  const listed = Promise.withResolvers<void>();
  const client = { subscribe: () => () => {} };
  const source = new ClientSource(client, { outbox: box as never }, 'client 1', () => listed.resolve());
  source.waiting.refresh();
  await listed.promise;
  expect(holdOf(behind, source, 0).why).toContain('POST unreadable (a) is sent first');
});
