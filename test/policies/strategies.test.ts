import { afterEach, describe, expect, test } from 'vitest';
import { standard } from '../../src/client/standard.ts';
import { sourceOf } from '../../src/core/outcome.ts';
import { cachePolicy } from '../../src/policies/cache/cache.ts';
import { dedupe } from '../../src/policies/dedupe.ts';
import { failover } from '../../src/policies/failover.ts';
import { fallback } from '../../src/policies/fallback.ts';
import { outboxPolicy } from '../../src/policies/outbox/outbox.ts';
import { retry } from '../../src/policies/retry/retry.ts';
import { type Strategies, strategies } from '../../src/policies/strategies.ts';
import type { Category } from '../../src/primitives/failure.ts';
import { memoryStore } from '../../src/stores/memory.ts';
import { hang, networkError, ok, slow, status } from '../../src/testing.ts';
import { quiet } from '../support/platform.ts';
import { ORIGIN, type Scenario, scenario } from '../support/scenario.ts';

const OTHER = 'https://other.example.com';
const URL_ = `${ORIGIN}/x`;

let close = (): Promise<void> => Promise.resolve();
afterEach(() => close());

/** Every policy, and a strategy by category. */
function everything(words: Strategies, options: Parameters<typeof strategies>[1] = {}): Scenario {
  const scene = scenario(
    standard({
      strategies: strategies(words, options),
      fallback: fallback({ instead: true }),
      outbox: outboxPolicy({ store: memoryStore() }, memoryStore),
      staleCache: cachePolicy({}, memoryStore),
      failover: failover({ origins: [ORIGIN, OTHER] }),
      timeout: { attempt: '1s' },
      breaker: false,
    }),
    { partition: 'ann', routes: [{ match: '/telemetry', strategies: { network: 'skip', server: 'skip' } }] },
  );
  close = () => scene.fetch.close();
  return scene;
}

const originsOf = ({ origin }: Scenario): string[] => origin.seen.map(({ url }) => new URL(url).origin);

describe('a strategy for a category', () => {
  test('strategy retry repeats even if the rules would not', async () => {
    const scene = everything({ client: 'retry' });
    scene.origin.replies(status(404), ok('found'));
    expect(await (await scene.fetch(URL_)).text()).toBe('found');
    expect(originsOf(scene)).toEqual([ORIGIN, ORIGIN]);
  });

  test('a strategy holds for a caller that goes on when another has left', async () => {
    const { fetch, origin, clock } = scenario([strategies({ server: 'fail-fast' }), dedupe(), retry()]);
    origin.otherwise(slow(clock, 100, () => status(500)));
    const leaving = new AbortController();
    const first = fetch(URL_, { signal: leaving.signal }).catch((error) => error);
    const second = fetch(URL_);
    await quiet();
    leaving.abort();
    expect((await second).status).toBe(500);
    expect(origin.seen).toHaveLength(1);
    expect((await first).name).toBe('AbortError');
  });

  test('strategy retry does not repeat a request that may not be repeated', async () => {
    const scene = everything({ server: 'retry' });
    scene.origin.replies(status(500));
    expect((await scene.fetch(URL_, { method: 'POST', body: 'x' })).status).toBe(500);
    expect(scene.origin.seen).toHaveLength(1);
  });

  test('strategy back-off delays the repetitions of other calls to the origin as well', async () => {
    const scene = everything({ timeout: 'back-off', server: 'back-off', network: 'fail-fast' });
    scene.host.random = () => 0.999;
    scene.origin.replies(status(500), status(500), ok('first'), ok('second'));
    const both = await Promise.all([scene.fetch(URL_), scene.fetch(`${ORIGIN}/y`)]);
    expect(await Promise.all(both.map((response) => response.text()))).toEqual(['first', 'second']);
    const [first, second] = scene.emitted('retry').map(({ delay }) => delay) as [number, number];
    expect(second).toBeGreaterThan(first);
  });

  test('strategy fail-over goes to the next origin at once, without a retry', async () => {
    const scene = everything({ server: 'fail-over' });
    scene.origin.replies(status(500), ok('there'));
    expect(await (await scene.fetch(URL_)).text()).toBe('there');
    expect(originsOf(scene)).toEqual([ORIGIN, OTHER]);
  });

  test('strategy fall-back serves the last cached response, without another attempt', async () => {
    const scene = everything({ network: 'fall-back', client: 'fall-back' });
    scene.origin.replies(ok('cached'), networkError());
    await (await scene.fetch(URL_)).text();
    // The cache stores in the background.
    await scene.clock.busy(quiet());
    const response = await scene.fetch(URL_);
    expect([sourceOf(response), await response.text()]).toEqual(['stale', 'cached']);
    expect(scene.origin.seen).toHaveLength(2);
  });

  test('strategy fall-back serves the fallback, even if the outcome is no failure by the rules', async () => {
    const scene = everything({ client: 'fall-back' });
    scene.origin.replies(status(404));
    const response = await scene.fetch(URL_);
    expect([sourceOf(response), await response.json()]).toEqual(['fallback', { instead: true }]);
    expect(scene.origin.seen).toHaveLength(1);
  });

  test('strategy skip makes a response without a body', async () => {
    const scene = everything({ server: 'skip' });
    scene.origin.replies(status(503));
    const response = await scene.fetch(URL_, { method: 'POST', body: 'x' });
    expect([response.status, sourceOf(response), response.body]).toEqual([204, 'fallback', null]);
    expect(scene.origin.seen).toHaveLength(1);
  });

  test('strategy fail-fast bypasses every policy', async () => {
    const scene = everything({ timeout: 'fail-fast', server: 'fail-fast' });
    scene.origin.replies(ok('cached'), status(503), hang());
    await (await scene.fetch(URL_)).text();
    expect((await scene.fetch(URL_)).status).toBe(503);
    await expect(scene.fetch(URL_)).rejects.toMatchObject({ code: 'timeout-attempt' });
    expect(scene.origin.seen).toHaveLength(3);
  });
});

describe('the source of a strategy', () => {
  test('a route sets strategies for its URLs, a call for itself, and false switches them off', async () => {
    const scene = everything({ server: 'fail-fast' });
    scene.origin.otherwise(status(503));
    const telemetry = `${ORIGIN}/telemetry`;
    expect((await scene.fetch(telemetry)).status).toBe(204);
    expect((await scene.fetch(URL_)).status).toBe(503);
    expect((await scene.fetch(URL_, { holdfast: { strategies: { server: 'skip' } } })).status).toBe(204);
    expect((await scene.fetch(URL_, { holdfast: { strategies: true } })).status).toBe(503);
    expect(sourceOf(await scene.fetch(URL_, { holdfast: { strategies: false } }))).toBe('fallback');
  });

  test('the application may evaluate an outcome otherwise', async () => {
    const categorize = (outcome: unknown): Category | undefined =>
      outcome instanceof Response && outcome.headers.has('x-sold-out') ? 'conflict' : undefined;
    const scene = everything({ conflict: 'fail-fast' }, { categorize });
    scene.origin.replies(status(503, { 'x-sold-out': '1' }), status(503), ok());
    expect((await scene.fetch(URL_)).status).toBe(503);
    expect(scene.origin.seen).toHaveLength(1);
    expect((await scene.fetch(URL_)).status).toBe(200);
  });

  test('a categorize function that throws leaves the outcome to the library', async () => {
    const scene = everything(
      { server: 'fail-fast' },
      {
        categorize() {
          throw new Error('mine');
        },
      },
    );
    scene.origin.replies(ok(), status(503));
    expect((await scene.fetch(URL_)).status).toBe(200);
    expect((await scene.fetch(URL_)).status).toBe(503);
    expect(scene.origin.seen).toHaveLength(2);
  });

  test('the caller’s own abort has no strategy', async () => {
    const scene = everything({ aborted: 'skip', network: 'skip' });
    scene.origin.replies(hang());
    const controller = new AbortController();
    const reason = new Error('mine');
    scene.clock.after(100, () => controller.abort(reason));
    await expect(scene.fetch(URL_, { signal: controller.signal })).rejects.toBe(reason);
  });

  test('a configuration error has no strategy', async () => {
    const { fetch } = everything({ configuration: 'skip' });
    await expect(fetch(URL_, { holdfast: { retry: -1 } })).rejects.toMatchObject({ code: 'configuration' });
  });

  test('an unknown strategy is an error', async () => {
    expect(() => strategies({ network: 'retire' as never })).toThrow(
      /strategies\.network: 'retire' .* retry, back-off/,
    );
    expect(() => strategies({ netwrok: 'retry' } as never)).toThrow(/strategies\.netwrok.*unknown option/);
    const { fetch } = everything({});
    await expect(fetch(URL_, { holdfast: { strategies: { server: 1 as never } } })).rejects.toThrow(
      /strategies\.server: 1/,
    );
  });
});
