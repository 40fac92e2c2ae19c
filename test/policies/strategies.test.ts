import { afterEach, describe, expect, test } from 'vitest';
import { standard } from '../../src/client/standard.ts';
import { sourceOf } from '../../src/core/outcome.ts';
import { cachePolicy } from '../../src/policies/cache/cache.ts';
import { failover } from '../../src/policies/failover.ts';
import { fallback } from '../../src/policies/fallback.ts';
import { outboxPolicy } from '../../src/policies/outbox/outbox.ts';
import { type Strategies, strategies } from '../../src/policies/strategies.ts';
import type { Category } from '../../src/primitives/failure.ts';
import { memoryStore } from '../../src/stores/memory.ts';
import { hang, networkError, ok, status } from '../../src/testing/index.ts';
import { quiet } from '../support/platform.ts';
import { ORIGIN, type Scenario, scenario } from '../support/scenario.ts';

const OTHER = 'https://other.example.com';
const URL_ = `${ORIGIN}/x`;

let close = (): Promise<void> => Promise.resolve();
afterEach(() => close());

/** Every policy there is, and what is to be done by category. */
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

const asked = ({ origin }: Scenario): string[] => origin.seen.map(({ url }) => new URL(url).origin);

describe('a word for a category', () => {
  test('retry: also where the rules would not', async () => {
    const scene = everything({ client: 'retry' });
    scene.origin.replies(status(404), ok('found'));
    expect(await (await scene.fetch(URL_)).text()).toBe('found');
    expect(asked(scene)).toEqual([ORIGIN, ORIGIN]);
  });

  test('retry: what may not be repeated is not repeated for it', async () => {
    const scene = everything({ server: 'retry' });
    scene.origin.replies(status(500));
    expect((await scene.fetch(URL_, { method: 'POST', body: 'x' })).status).toBe(500);
    expect(scene.origin.seen).toHaveLength(1);
  });

  test('back-off: other calls to the origin wait as long before they are repeated', async () => {
    const scene = everything({ timeout: 'back-off', server: 'back-off', network: 'fail-fast' });
    scene.host.random = () => 0.999;
    scene.origin.replies(status(500), status(500), ok('first'), ok('second'));
    const both = await Promise.all([scene.fetch(URL_), scene.fetch(`${ORIGIN}/y`)]);
    expect(await Promise.all(both.map((answer) => answer.text()))).toEqual(['first', 'second']);
    const [first, second] = scene.told('retry').map(({ delay }) => delay) as [number, number];
    expect(second).toBeGreaterThan(first);
  });

  test('fail-over: at once, and without a repetition here', async () => {
    const scene = everything({ server: 'fail-over' });
    scene.origin.replies(status(500), ok('there'));
    expect(await (await scene.fetch(URL_)).text()).toBe('there');
    expect(asked(scene)).toEqual([ORIGIN, OTHER]);
  });

  test('fall-back: the last copy, without another attempt', async () => {
    const scene = everything({ network: 'fall-back', client: 'fall-back' });
    scene.origin.replies(ok('copy'), networkError());
    await (await scene.fetch(URL_)).text();
    // Copies are kept in the background.
    await scene.clock.busy(quiet());
    const answer = await scene.fetch(URL_);
    expect([sourceOf(answer), await answer.text()]).toEqual(['stale', 'copy']);
    expect(scene.origin.seen).toHaveLength(2);
  });

  test('fall-back: the fallback’s answer, also for what is no failure by the rules', async () => {
    const scene = everything({ client: 'fall-back' });
    scene.origin.replies(status(404));
    const answer = await scene.fetch(URL_);
    expect([sourceOf(answer), await answer.json()]).toEqual(['fallback', { instead: true }]);
    expect(scene.origin.seen).toHaveLength(1);
  });

  test('skip: the answer does not matter', async () => {
    const scene = everything({ server: 'skip' });
    scene.origin.replies(status(503));
    const answer = await scene.fetch(URL_, { method: 'POST', body: 'x' });
    expect([answer.status, sourceOf(answer), answer.body]).toEqual([204, 'fallback', null]);
    expect(scene.origin.seen).toHaveLength(1);
  });

  test('fail-fast: no policy does anything about it', async () => {
    const scene = everything({ timeout: 'fail-fast', server: 'fail-fast' });
    scene.origin.replies(ok('copy'), status(503), hang());
    await (await scene.fetch(URL_)).text();
    expect((await scene.fetch(URL_)).status).toBe(503);
    await expect(scene.fetch(URL_)).rejects.toMatchObject({ code: 'timeout-attempt' });
    expect(scene.origin.seen).toHaveLength(3);
  });
});

describe('who says it', () => {
  test('a route for its URLs, a call for itself, and false switches it off', async () => {
    const scene = everything({ server: 'fail-fast' });
    scene.origin.otherwise(status(503));
    const telemetry = `${ORIGIN}/telemetry`;
    expect((await scene.fetch(telemetry)).status).toBe(204);
    expect((await scene.fetch(URL_)).status).toBe(503);
    expect((await scene.fetch(URL_, { holdfast: { strategies: { server: 'skip' } } })).status).toBe(204);
    expect((await scene.fetch(URL_, { holdfast: { strategies: true } })).status).toBe(503);
    expect(sourceOf(await scene.fetch(URL_, { holdfast: { strategies: false } }))).toBe('fallback');
  });

  test('the application, which may see an outcome otherwise', async () => {
    const categorize = (outcome: unknown): Category | undefined =>
      outcome instanceof Response && outcome.headers.has('x-sold-out') ? 'conflict' : undefined;
    const scene = everything({ conflict: 'fail-fast' }, { categorize });
    scene.origin.replies(status(503, { 'x-sold-out': '1' }), status(503), ok());
    expect((await scene.fetch(URL_)).status).toBe(503);
    expect(scene.origin.seen).toHaveLength(1);
    expect((await scene.fetch(URL_)).status).toBe(200);
  });

  test('not about the caller’s own abort', async () => {
    const scene = everything({ aborted: 'skip', network: 'skip' });
    scene.origin.replies(hang());
    const controller = new AbortController();
    const reason = new Error('mine');
    scene.clock.after(100, () => controller.abort(reason));
    await expect(scene.fetch(URL_, { signal: controller.signal })).rejects.toBe(reason);
  });

  test('not about options that cannot be meant', async () => {
    const { fetch } = everything({ configuration: 'skip' });
    await expect(fetch(URL_, { holdfast: { retry: -1 } })).rejects.toMatchObject({ code: 'configuration' });
  });

  test('nobody in words that are not known', async () => {
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
