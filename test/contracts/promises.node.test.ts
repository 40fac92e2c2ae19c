import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Policy } from '../../src/core/contract.ts';
import { sourceOf } from '../../src/core/outcome.ts';
import { breaker } from '../../src/policies/breaker/breaker.ts';
import { bulkhead } from '../../src/policies/bulkhead.ts';
import { cachePolicy } from '../../src/policies/cache/cache.ts';
import { dedupe } from '../../src/policies/dedupe.ts';
import { failover } from '../../src/policies/failover.ts';
import { fallback } from '../../src/policies/fallback.ts';
import { hedge } from '../../src/policies/hedge.ts';
import { rateLimit } from '../../src/policies/rate-limit.ts';
import { retry } from '../../src/policies/retry/retry.ts';
import { wholeBody } from '../../src/policies/retry/whole.ts';
import { attemptTimeout, totalTimeout } from '../../src/policies/timeout.ts';
import { memoryStore } from '../../src/stores/memory.ts';
import { seeded, switchedConnectivity, type VirtualClock, virtualClock } from '../../src/testing.ts';
import { times } from '../support/extent.ts';
import { leanPipeline } from '../support/lean-pipeline.ts';

/**
 * Random pipelines against random origins in virtual time, and the promises of the library after
 * each: every call ends, no request is repeated that must not be, the caller's reason comes back,
 * nothing is left behind.
 */
const RUNS = times({ test: 500, soak: 10_000 });
const SEED = Number(process.env.SEED ?? 20_261_121);

const ONE = 'https://one.example';
const TWO = 'https://two.example';

const makers: Record<string, () => Policy> = {
  totalTimeout: () => totalTimeout(),
  retry: () => retry(),
  'retry of whole bodies': () => retry({ until: wholeBody, retryOnTimeout: true }),
  'retry with a key': () => retry({ idempotencyKey: true }),
  breaker: () => breaker(),
  'waiting breaker': () => breaker({ failures: 2 }),
  attemptTimeout: () => attemptTimeout({ attempt: '3s', idle: '3s' }),
  dedupe: () => dedupe(),
  hedge: () => hedge({ delay: '500ms', share: 1 }),
  failover: () => failover({ origins: [ONE, TWO] }),
  fallback: () => fallback({ none: true }),
  bulkhead: () => bulkhead({ limit: 2, queue: 2, maxWait: '4s' }),
  rateLimit: () => rateLimit({ rate: 2, per: '1s', maxWait: '4s' }),
  staleCache: () => cachePolicy({ store: memoryStore() }, memoryStore),
};

interface Reply {
  is: 'response';
  status: number;
  /** In ms. */
  after: number;
  body: 'whole' | 'broken' | 'stalled' | 'none';
  headers: Record<string, string>;
}

type Behaviour = Reply | { is: 'refuse' } | { is: 'hang' };

const WELL: Reply = { is: 'response', status: 200, after: 0, body: 'whole', headers: {} };

const behaviour: fc.Arbitrary<Behaviour> = fc.oneof(
  fc.record<Reply>({
    is: fc.constant('response' as const),
    status: fc.constantFrom(200, 200, 200, 204, 304, 401, 404, 408, 413, 429, 500, 501, 503),
    after: fc.constantFrom(0, 0, 10, 700, 5_000),
    body: fc.constantFrom<Reply['body']>('whole', 'whole', 'whole', 'broken', 'stalled', 'none'),
    headers: fc.constantFrom<Record<string, string>>(
      {},
      {},
      { 'retry-after': '1' },
      { 'retry-after': '99999999999' },
      { 'retry-after': 'soon' },
      { 'cache-control': 'max-age=60' },
      { ratelimit: '"p";r=0;t=2' },
    ),
  }),
  fc.constantFrom<Behaviour>({ is: 'refuse' }, { is: 'hang' }),
);

const someCall = fc.record({
  method: fc.constantFrom('GET', 'GET', 'GET', 'HEAD', 'PUT', 'POST', 'POST'),
  key: fc.boolean(),
  origin: fc.constantFrom(ONE, ONE, TWO),
  path: fc.constantFrom('/a', '/a', '/b'),
  /** Milliseconds after the call before. */
  after: fc.constantFrom(0, 0, 100, 3_000, 40_000),
  abort: fc.option(fc.constantFrom(0, 50, 600, 4_000), { freq: 4 }),
  reads: fc.constantFrom('all', 'all', 'nothing', 'a clone'),
});

const world = fc.record({
  policies: fc.uniqueArray(fc.constantFrom(...Object.keys(makers)), { maxLength: 9 }),
  script: fc.array(behaviour, { maxLength: 12 }),
  calls: fc.array(someCall, { minLength: 1, maxLength: 6 }),
  seed: fc.nat(),
});

type World = typeof world extends fc.Arbitrary<infer T> ? T : never;

/** A body that is in `open` until it is read or cancelled. */
function bodyOf(how: string, open: Set<object>): ReadableStream<Uint8Array<ArrayBuffer>> {
  const self = {};
  open.add(self);
  let at = 0;
  return new ReadableStream(
    {
      pull(controller) {
        at++;
        if (at === 1) return controller.enqueue(new TextEncoder().encode('half'));
        if (how === 'stalled') return new Promise(() => {});
        open.delete(self);
        if (how === 'broken') controller.error(new TypeError('terminated'));
        else controller.close();
        return undefined;
      },
      cancel: () => void open.delete(self),
    },
    { highWaterMark: 0 },
  );
}

async function run({ policies, script, calls, seed }: World): Promise<void> {
  const clock: VirtualClock = virtualClock();
  const open = new Set<object>();
  const steps = [...script];
  const arrived = new Map<string, number>();
  const send = async (request: Request, { signal }: RequestInit): Promise<Response> => {
    const call = request.headers.get('x-call') ?? 'probe';
    arrived.set(call, (arrived.get(call) ?? 0) + 1);
    const step = steps.shift() ?? WELL;
    signal?.throwIfAborted();
    return new Promise((resolve, reject) => {
      signal?.addEventListener('abort', () => reject(signal.reason), { once: true });
      if (step.is === 'refuse') return reject(new TypeError('Failed to fetch'));
      if (step.is === 'hang') return;
      const { status, body, headers, after } = step;
      const respond = (): void => {
        if (signal?.aborted) return;
        const empty = body === 'none' || status === 204 || status === 304 || request.method === 'HEAD';
        resolve(new Response(empty ? null : bodyOf(body, open), { status, headers }));
      };
      if (after === 0) respond();
      else {
        const cancel = clock.after(after, respond);
        signal?.addEventListener('abort', cancel, { once: true });
      }
    });
  };
  const fetch = leanPipeline(
    policies.map((name) => (makers[name] as () => Policy)()),
    {
      partition: 'public',
      fetch: send,
      host: { clock, random: seeded(seed), connectivity: switchedConnectivity() },
    },
  );

  const made: Promise<void>[] = [];
  let at = 0;
  for (const [n, { method, key, origin, path, after, abort, reads }] of calls.entries()) {
    at += after;
    const call = async (): Promise<void> => {
      const controller = new AbortController();
      const reason = new Error(`reason ${n}`);
      // Without limits some calls would never end, as their options say.
      const cancel = clock.after(abort ?? 200_000, () => controller.abort(reason));
      const headers: Record<string, string> = {
        'x-call': String(n),
        ...(key && { 'idempotency-key': `k${n}` }),
      };
      const body = method === 'POST' || method === 'PUT' ? { body: 'x' } : {};
      try {
        const response = await fetch(origin + path, { method, headers, ...body, signal: controller.signal });
        sourceOf(response);
        if (reads === 'nothing') await response.body?.cancel();
        else {
          const clone = reads === 'a clone' ? response.clone() : undefined;
          await Promise.all([response.text(), clone?.text()]);
        }
      } catch (error) {
        // Identity: no policy has wrapped it.
        if (controller.signal.aborted && (error as Error).message.startsWith('reason'))
          expect(error).toBe(reason);
        else expect(error).toBeInstanceOf(Error);
        if (!controller.signal.aborted)
          expect((error as { code?: unknown }).code).toEqual(expect.any(String));
      } finally {
        cancel();
      }
    };
    made.push(new Promise((resolve) => clock.after(at, () => resolve(call()))));
  }
  await Promise.all(made);
  // Work that no call waits for: cached responses to store, losers to cancel, and a request whose
  // caller got the cached response, for up to 30 s.
  await clock.advance(31_000);

  const keyed = policies.includes('retry with a key');
  const twice = policies.includes('dedupe');
  for (const [n, { method, key }] of calls.entries()) {
    const times = arrived.get(String(n)) ?? 0;
    if (method === 'POST' && !key && !keyed) expect(times, `POST ${n} on the wire`).toBeLessThanOrEqual(1);
    expect(times, `requests of call ${n}`).toBeLessThanOrEqual(3 * 3 * 2 * 2 * 2 + (twice ? 6 : 0));
  }
  expect(clock.pending, 'timers left').toBe(0);
  expect(open.size, 'bodies that nobody has read or cancelled').toBe(0);
  await fetch.close();
  expect(clock.pending, 'timers left after close()').toBe(0);
}

test(`random pipelines keep the promises (seed ${SEED}, ${RUNS} runs)`, async () => {
  await fc.assert(fc.asyncProperty(world, run), { numRuns: RUNS, seed: SEED, timeout: 5_000 });
  console.log(`promises: ${RUNS} random pipelines, seed ${SEED}`);
}, 600_000);
