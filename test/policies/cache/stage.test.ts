import { afterEach, describe, expect, test } from 'vitest';
import type { HoldfastInit } from '../../../src/core/normalize-request.ts';
import { sourceOf } from '../../../src/core/outcome.ts';
import { type HoldfastFetch, type PipelineOptions, pipeline } from '../../../src/core/pipeline.ts';
import { cachePolicy } from '../../../src/policies/cache/cache.ts';
import type { StaleCacheOptions } from '../../../src/policies/cache/options.ts';
import { memoryStore } from '../../../src/stores/memory.ts';
import { testHost } from '../../../src/testing.ts';
import { cachePage, fresh, URL_ } from '../../support/cache-page.ts';
import { durableStore } from '../../support/durable.ts';
import { guardedStore } from '../../support/guarded-store.ts';

const open: HoldfastFetch[] = [];
afterEach(async () => {
  for (const fetch of open.splice(0)) await fetch.close();
});

/** A pipeline of the cache alone, the resources it has taken, and those that are left. */
function counted(options: StaleCacheOptions = {}, more: PipelineOptions = {}) {
  const host = testHost();
  const taken = { timers: 0, subscriptions: 0, operations: 0 };
  const left = { subscriptions: 0 };
  const { clock, connectivity: online } = host;
  const inner = durableStore();
  const guard = <T>(work: () => Promise<T>): Promise<T> => {
    taken.operations++;
    return work();
  };
  let respond = (_: Response): void => {};
  const fetch = pipeline(
    [
      cachePolicy(
        { store: { ...inner, ...guardedStore(inner, guard) }, validators: 'platform', ...options },
        memoryStore,
      ),
    ],
    {
      host: {
        ...host,
        clock: {
          now: () => clock.now(),
          ticks: () => clock.ticks(),
          after(...task) {
            taken.timers++;
            return clock.after(...task);
          },
        },
        connectivity: {
          get state() {
            return online.state;
          },
          subscribe(listener) {
            taken.subscriptions++;
            left.subscriptions++;
            const end = online.subscribe(listener);
            return () => {
              left.subscriptions--;
              end();
            };
          },
        },
      },
      fetch: () =>
        new Promise((resolve) => {
          respond = resolve;
        }),
      partition: 'ann',
      ...more,
    },
  );
  open.push(fetch);
  return {
    fetch,
    taken,
    left: () => ({ timers: clock.pending, ...left }),
    respond: (response: Response) => respond(response),
  };
}

const NOTHING = { timers: 0, subscriptions: 0, operations: 0 };

describe('a call that the cache does not concern', () => {
  test.each<[string, HoldfastInit, PipelineOptions]>([
    ['a write', { method: 'POST', body: 'x' }, {}],
    ['a read with no-store', { cache: 'no-store' }, {}],
    ['a read with a validator of its own', { headers: { 'if-none-match': '"1"' } }, {}],
    ['a read while no user is signed in', {}, { partition: () => undefined }],
    ['a read with staleCache: false', { holdfast: { staleCache: false } }, {}],
  ])('%s takes no timer, no subscription, and nothing of the store', async (_, init, options) => {
    const { fetch, taken, respond } = counted({}, options);
    const calling = fetch(URL_, init);
    expect(taken).toEqual(NOTHING);
    respond(new Response('no', { status: 403 }));
    expect((await calling).status).toBe(403);
    expect(taken).toEqual(NOTHING);
  });
});

describe('a read that is sent', () => {
  test('has one timer and one subscription until the response is there', async () => {
    const { fetch, taken, left, respond } = counted();
    const reading = fetch(URL_);
    respond(new Response('no', { status: 403 }));
    expect(left()).toEqual({ timers: 1, subscriptions: 1 });
    await reading;
    expect(left()).toEqual({ timers: 0, subscriptions: 0 });
    expect(taken).toEqual({ timers: 1, subscriptions: 1, operations: 0 });
  });

  test('with respondAfter: false has no timer', async () => {
    const { fetch, taken, respond } = counted({ respondAfter: false });
    const reading = fetch(URL_);
    expect(taken.timers).toBe(0);
    respond(new Response('no', { status: 403 }));
    await reading;
  });
});

describe('the response that is passed on', () => {
  test.each<[string, () => Response, boolean]>([
    ['is the platform’s own if it is not stored', () => new Response('x', { status: 403 }), true],
    ['carries the body through the cache if it is stored', () => fresh('x'), false],
  ])('%s', async (_, make, isOwn) => {
    const { fetch, respond } = counted();
    const given = make();
    const reading = fetch(URL_);
    respond(given);
    const response = await reading;
    expect(response === given).toBe(isOwn);
    expect(await response.text()).toBe('x');
  });
});

test('a revalidation that close() overtakes sends nothing, and says why', async () => {
  const page = cachePage({ mode: 'stale-while-revalidate' });
  page.origin.otherwise(() => fresh('one'));
  await page.read();
  await page.clock.advance(61_000);
  page.origin.seen.length = 0;
  expect(sourceOf(await page.fetch(URL_))).toBe('stale');
  await page.fetch.close();
  expect(page.emitted('cache-revalidated')).toMatchObject([{ error: { code: 'closed' } }]);
  expect(page.origin.seen).toHaveLength(0);
});
