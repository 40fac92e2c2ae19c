import fc from 'fast-check';
import { expect, test } from 'vitest';
import { standard } from '../../src/client/standard.ts';
import type { Policy } from '../../src/core/contract.ts';
import { bulkhead } from '../../src/policies/bulkhead.ts';
import { cachePolicy } from '../../src/policies/cache/cache.ts';
import { hedge } from '../../src/policies/hedge.ts';
import { rateLimit } from '../../src/policies/rate-limit.ts';
import { memoryStore } from '../../src/stores/memory.ts';
import { seeded, switchedConnectivity, virtualClock } from '../../src/testing.ts';
import { times } from '../support/extent.ts';
import { leanPipeline } from '../support/lean-pipeline.ts';

/**
 * Promise 5: in every kind of bad network at least as many calls succeed as with a plain retry.
 * Random pipelines with the default `timeout`, `retry` and `breaker` meet an origin that is flaky,
 * or that refuses everything for a while; each call that succeeds with a plain retry succeeds with
 * them.
 */
const RUNS = times({ test: 500, soak: 10_000 });
const SEED = Number(process.env.SEED ?? 20_261_122);

const ORIGIN = 'https://api.example';

const more = {
  hedge: () => ({ hedge: hedge({ delay: '500ms', share: 1 }) }),
  bulkhead: () => ({ bulkhead: bulkhead({ limit: 20 }) }),
  rateLimit: () => ({ rateLimit: rateLimit() }),
  staleCache: () => ({ staleCache: cachePolicy({ store: memoryStore() }, memoryStore) }),
} satisfies Record<string, () => object>;

type More = keyof typeof more;

/** Fails by chance: each attempt of each call always in the same way, at any time. */
interface Flaky {
  readonly is: 'flaky';
  readonly how: 'reset' | 503;
  readonly share: number;
}

/** Refuses connections from time to time, in ms. */
interface Blips {
  readonly is: 'blips';
  readonly first: number;
  readonly lasts: number;
  readonly every: number;
}

const world = fc.record({
  more: fc.uniqueArray(fc.constantFrom(...(Object.keys(more) as More[])), { maxLength: 4 }),
  origin: fc.oneof(
    fc.record<Flaky>({
      is: fc.constant('flaky' as const),
      how: fc.constantFrom('reset' as const, 503 as const),
      share: fc.constantFrom(0.05, 0.1, 0.3),
    }),
    fc.record<Blips>({
      is: fc.constant('blips' as const),
      first: fc.integer({ min: 0, max: 5_000 }),
      lasts: fc.integer({ min: 10, max: 3_000 }),
      every: fc.constantFrom(40_000, 100_000),
    }),
  ),
  callers: fc.constantFrom(1, 1, 2, 5, 10),
  calls: fc.integer({ min: 1, max: 6 }),
  /** Between two calls of a caller, in ms. */
  pause: fc.constantFrom(0, 10, 300, 1_000),
  latency: fc.constantFrom(0, 5, 100),
  method: fc.constantFrom('GET', 'GET', 'PUT', 'POST with a key', 'POST'),
  seed: fc.nat(),
});

type World = typeof world extends fc.Arbitrary<infer T> ? T : never;

/** @returns by call, whether it succeeded. */
async function outcomes(
  { origin, callers, calls, pause, latency, method, seed }: World,
  policiesOf: (() => Policy[]) | 'plain retry',
): Promise<Map<string, boolean>> {
  const clock = virtualClock();
  const attempts = new Map<string, number>();
  const fails = (call: string): boolean => {
    if (origin.is === 'blips') {
      const since = clock.ticks() - origin.first;
      return since >= 0 && since % origin.every < origin.lasts;
    }
    const attempt = (attempts.get(call) ?? 0) + 1;
    attempts.set(call, attempt);
    const [caller = 0, nth = 0] = call.split('.').map(Number);
    const random = seeded(seed ^ (caller * 7_919 + nth * 104_729 + attempt * 1_299_709));
    random();
    return random() < origin.share;
  };
  const wait = (ms: number): Promise<void> =>
    new Promise((resolve) => {
      clock.after(ms, resolve);
    });
  const send = async (request: Request, init: RequestInit): Promise<Response> => {
    const failed = fails(request.headers.get('x-call') as string);
    if (latency) await wait(latency);
    init.signal?.throwIfAborted();
    if (failed && origin.is === 'flaky' && origin.how === 503) return new Response(null, { status: 503 });
    if (failed) throw new TypeError('Failed to fetch');
    return new Response('ok');
  };
  /**
   * As a careful developer writes it: two retries after 300 and 600 ms, of requests that may be
   * repeated.
   */
  const plain = async (url: string, init: RequestInit): Promise<Response> => {
    for (let retry = 0; ; retry++) {
      const last = retry === 2 || method === 'POST';
      const response = await send(new Request(url, init), {}).catch((error) => {
        if (last) throw error;
      });
      if (response && (response.ok || last)) return response;
      await wait(300 * 2 ** retry);
    }
  };
  const fetch =
    policiesOf === 'plain retry'
      ? plain
      : leanPipeline(policiesOf(), {
          partition: 'public',
          fetch: send,
          host: { clock, random: seeded(seed), connectivity: switchedConnectivity() },
        });
  const succeeded = new Map<string, boolean>();
  const caller = async (id: number): Promise<void> => {
    for (let nth = 0; nth < calls; nth++) {
      const call = `${id}.${nth}`;
      const init = {
        method: method.slice(0, 4).trim(),
        headers: { 'x-call': call, ...(method.endsWith('key') && { 'idempotency-key': call }) },
        ...(method !== 'GET' && { body: 'x' }),
      };
      const response = await fetch(`${ORIGIN}/${call}`, init).catch(() => undefined);
      await response?.text();
      succeeded.set(call, response?.ok === true);
      await wait(pause);
    }
  };
  await Promise.all(Array.from({ length: callers }, (_, id) => caller(id)));
  await clock.advance(60_000);
  return succeeded;
}

async function law(given: World): Promise<void> {
  const expected = await outcomes(given, 'plain retry');
  const got = await outcomes(given, () =>
    standard(Object.assign({}, ...given.more.map((name) => more[name]()))),
  );
  for (const [call, ok] of expected)
    if (ok) expect(got.get(call), `call ${call}, which a plain retry brings through`).toBe(true);
}

test(`a call that succeeds with a plain retry succeeds (seed ${SEED}, ${RUNS} runs)`, async () => {
  await fc.assert(fc.asyncProperty(world, law), { numRuns: RUNS, seed: SEED, timeout: 10_000 });
}, 600_000);
