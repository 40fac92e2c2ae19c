import { expect, test } from 'vitest';
import { cachePolicy } from '../../../src/policies/cache/cache.ts';
import { memoryStore } from '../../../src/stores/memory.ts';
import { durableStore } from '../../support/durable.ts';
import { guardedStore } from '../../support/guarded-store.ts';
import { scenario } from '../../support/scenario.ts';

test('a read does not fail because a store rejects with nothing', async () => {
  const store = { ...durableStore(), ...guardedStore(durableStore(), () => Promise.reject()) };
  const { fetch } = scenario([cachePolicy({ store, mode: 'cache-first' }, memoryStore)], {
    partition: 'ann',
  });
  expect((await fetch('https://api.example.com/x')).status).toBe(200);
  await fetch.close();
});
