import { afterEach, describe, expect, test, vi } from 'vitest';
import type { HoldfastEvent } from '../../../src/core/events.ts';
import { createFetch, type OutboxOptions, outbox } from '../../../src/index.ts';
import { durableStore } from '../../support/durable.ts';

afterEach(() => vi.unstubAllGlobals());

/** Two accepted writes, in a browser whose storage behaves as given. */
async function accepting(storage: object | undefined, options: OutboxOptions = {}, name = 'indexeddb:x') {
  vi.stubGlobal('navigator', storage && { storage });
  const events: HoldfastEvent[] = [];
  const fetch = createFetch({
    name: 'persisting',
    partition: 'ann',
    outbox: outbox({ store: { ...durableStore(), name }, ...options }),
    fetch: async () => new Response('ok'),
    onEvent: (event) => events.push(event),
  });
  for (const body of ['one', 'two'])
    await fetch('https://api.example/', { method: 'POST', body, holdfast: { outbox: true } });
  await fetch.close();
  return events.filter(({ type }) => type === 'storage-persistence');
}

describe('persistent storage', () => {
  test.each([true, false])(
    'the outbox requests persistent storage once, after the first accepted write: %s',
    async (granted) => {
      const persist = vi.fn(async () => granted);
      const emitted = await accepting({ persisted: async () => false, persist });
      expect(persist).toHaveBeenCalledTimes(1);
      expect(emitted).toEqual([{ type: 'storage-persistence', granted }]);
    },
  );

  test.each<[string, OutboxOptions, string, boolean]>([
    ['if the browser has granted it already', {}, 'indexeddb:x', true],
    ['if the application does not want it', { persist: false }, 'indexeddb:x', false],
    ['for a store that is not the browser’s', {}, 'sql', false],
  ])('the outbox requests no persistent storage %s', async (_, options, name, already) => {
    const persist = vi.fn(async () => true);
    expect(await accepting({ persisted: async () => already, persist }, options, name)).toEqual([]);
    expect(persist).not.toHaveBeenCalled();
  });

  test.each<[string, object | undefined]>([
    ['has no storage manager', undefined],
    ['has persist() in pages alone', { persisted: async () => false }],
    ['refuses', { persisted: () => Promise.reject(new TypeError('no')) }],
  ])('the outbox works if the platform %s', async (_, storage) => {
    expect(await accepting(storage)).toEqual([]);
  });
});
