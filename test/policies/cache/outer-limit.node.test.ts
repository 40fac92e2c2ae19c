import { expect, test } from 'vitest';
import type { Stage } from '../../../src/core/stage.ts';
import { cachePolicy } from '../../../src/policies/cache/cache.ts';
import { totalTimeout } from '../../../src/policies/timeout.ts';
import { memoryStore } from '../../../src/stores/memory.ts';
import { ok, status } from '../../../src/testing.ts';
import { durableStore } from '../../support/durable.ts';
import { scenario } from '../../support/scenario.ts';

const URL_ = 'https://api.example.com/x';

/** An outer stage that waits after the failure, and one that replaces the response. */
const waits: Stage = { name: 'waits', leave: (run) => () => run.wait(5_000).then(() => undefined) };
const replaces: Stage = {
  name: 'replaces',
  leave(run) {
    if (run.error) run.response = ok('instead');
  },
};

test('an outer limit that passes while the cache drops an entry: the fallback response stays whole', async () => {
  const store = durableStore();
  const { fetch, origin, clock } = scenario(
    [
      waits,
      replaces,
      totalTimeout({ total: 1_000 }),
      cachePolicy({ store, validators: 'own', respondAfter: false }, memoryStore),
    ],
    { partition: 'ann' },
  );
  origin.replies(ok('old', { headers: { etag: '"1"', 'cache-control': 'max-age=0' } }));
  await (await fetch(URL_)).text();
  await clock.advance(10_000);
  // The 304 has another tag: the cached response is deleted, and the request repeated; the store
  // hangs by then.
  origin.replies(() => {
    store.break('hang');
    return status(304, { etag: '"2"' });
  });
  const response = await fetch(URL_);
  expect(await response.text()).toBe('instead');
  await fetch.close();
});
