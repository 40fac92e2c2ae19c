import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createFetch } from '../../src/client/fetch.ts';
import { NetworkError } from '../../src/core/errors.ts';
import type { HoldfastEvent } from '../../src/core/events.ts';
import type { ClientHealth } from '../../src/observability/health/client.ts';
import { severityOf } from '../../src/observability/log/severity.ts';
import { metrics } from '../../src/observability/metrics/metrics.ts';
import type { Alarm, MetricsOptions } from '../../src/observability/metrics/options.ts';
import { Histogram } from '../../src/observability/metrics/series.ts';
import { SlidingWindow } from '../../src/observability/metrics/window.ts';
import { HoldfastError } from '../../src/primitives/failure.ts';
import { networkError, ok, scriptedOrigin, slow, status, testHost, virtualClock } from '../../src/testing.ts';
import { quiet } from '../support/platform.ts';

const ORIGIN = 'https://api.example.com';

function world(options: MetricsOptions = {}) {
  const host = testHost({ clock: virtualClock({ quiet }) });
  const alarms: Alarm[] = [];
  const numbers = metrics({ host, onAlarm: (alarm) => alarms.push(alarm), ...options });
  const ended = (more: Partial<Extract<HoldfastEvent, { type: 'call-ended' }>> = {}, times = 1): void => {
    for (let nth = 0; nth < times; nth++)
      numbers.receive({
        type: 'call-ended',
        callId: `c${nth}`,
        origin: ORIGIN,
        method: 'GET',
        at: host.clock.now(),
        duration: 10,
        attempts: [],
        ...(more.error === undefined && { status: 200 }),
        ...more,
      });
  };
  return { host, clock: host.clock, numbers, alarms, ended };
}

const refused = { error: new NetworkError('connect 10.0.0.1 failed with s3cr3t', {}) };

describe('a histogram', () => {
  test('a histogram gives quantiles within five per cent, for any durations', () => {
    fc.assert(
      fc.property(
        fc.array(fc.double({ min: 0.2, max: 86_400_000, noNaN: true }), { minLength: 1, maxLength: 300 }),
        fc.constantFrom(0.5, 0.9, 0.95, 0.99, 1),
        (values, share) => {
          const histogram = new Histogram();
          for (const value of values) histogram.add(value);
          const sorted = values.toSorted((a, b) => a - b);
          const exact = sorted[Math.ceil(share * sorted.length) - 1] as number;
          const found = histogram.quantile(share);
          return found >= exact / 1.05 && found <= exact * 1.05;
        },
      ),
      { seed: 7, numRuns: 500 },
    );
  });

  test('a histogram clamps values out of its range, and ignores what is no duration', () => {
    const histogram = new Histogram();
    for (const ms of [0, 1e12, -1, Number.NaN, Number.POSITIVE_INFINITY]) histogram.add(ms);
    expect(histogram.quantiles()).toMatchObject({ count: 3, max: Number.POSITIVE_INFINITY });
    expect(new Histogram().quantiles()).toEqual({ count: 0, p50: 0, p95: 0, p99: 0, max: 0 });
  });
});

describe('a sliding window', () => {
  test('a sliding window sums what is no older than it, within one step', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 40_000 }), { maxLength: 200 }), (gaps) => {
        const window = new SlidingWindow(30_000, ['a', 'b']);
        const times: number[] = [];
        let now = 0;
        for (const gap of gaps) {
          now += gap;
          times.push(now);
          window.add('a', now);
          const { a, b } = window.sums(now);
          const atLeast = times.filter((time) => time > now - 29_000).length;
          const atMost = times.filter((time) => time >= now - 30_000).length;
          if (a < atLeast || a > atMost || b !== 0) return false;
        }
        return true;
      }),
      { seed: 3, numRuns: 300 },
    );
  });
});

describe('metrics of calls', () => {
  test('metrics count calls by the source of the response, by category, origin and operation', () => {
    const { numbers, ended } = world();
    ended({ source: 'network', operation: 'list', duration: 20, sent: 3, received: 100 });
    ended({ source: 'cache', operation: 'list' });
    ended({ source: 'stale', attempts: [{}, {}, {}] as never });
    ended({ status: 404 });
    ended({ status: 503, origin: 'https://other.example' });
    ended(refused);
    ended({ error: new DOMException('left', 'AbortError') });
    expect(numbers.snapshot()).toMatchObject({
      calls: 7,
      errors: 2,
      outcomes: { network: 3, cache: 1, stale: 1, error: 2 },
      categories: { client: 1, server: 1, network: 1, aborted: 1 },
      resent: 2,
      sent: 3,
      received: 100,
      origins: { [ORIGIN]: { calls: 6, errors: 1 }, 'https://other.example': { calls: 1, errors: 1 } },
      operations: { list: { calls: 2, errors: 0, latency: { count: 2, max: 20 } } },
      topErrors: [
        { origin: 'https://other.example', category: 'server', code: 'http-503', count: 1 },
        { origin: ORIGIN, category: 'network', code: 'network', count: 1 },
      ],
    });
  });

  test('metrics count the calls of a pipeline', async () => {
    const { numbers, host, clock } = world();
    const origin = scriptedOrigin(clock);
    const api = createFetch({
      host,
      fetch: origin.fetch,
      onEvent: numbers.receive,
      routes: [{ match: '/a', operation: 'a' }],
    });
    origin.replies(
      slow(clock, 100, () => ok()),
      networkError(),
      slow(clock, 50, () => ok()),
      status(404),
    );
    await (await api(`${ORIGIN}/a`)).text();
    await (await api(`${ORIGIN}/b`)).text();
    await api(`${ORIGIN}/b`);
    expect(numbers.snapshot()).toMatchObject({
      calls: 3,
      errors: 0,
      resent: 1,
      operations: { a: { calls: 1, latency: { p50: 100, max: 100 } } },
      events: { 'call-started': 3, 'attempt-ended': 4, retry: 1 },
    });
    await api.close();
  });

  test('metrics have rates over sliding windows', async () => {
    const { numbers, ended, clock } = world();
    ended({}, 6);
    ended(refused, 2);
    ended({ source: 'stale' });
    ended({ source: 'fallback' });
    expect(numbers.snapshot().rates[0]).toEqual({
      window: 60_000,
      calls: 10,
      errors: 2,
      errorRate: 0.2,
      staleRate: 0.1,
      fallbackRate: 0.1,
    });
    await clock.advance(90_000);
    expect(numbers.snapshot().rates).toMatchObject([
      { window: 60_000, calls: 0, errorRate: 0 },
      { window: 300_000, calls: 10, errorRate: 0.2 },
    ]);
  });

  test('metrics count from zero after a reset', () => {
    const { numbers, ended } = world({ thresholds: { errorRate: 0.5 } });
    ended(refused, 20);
    numbers.reset();
    expect(numbers.snapshot()).toMatchObject({
      calls: 0,
      errors: 0,
      origins: {},
      topErrors: [],
      events: {},
      alarms: [],
    });
  });

  test('latencyUpTo gives the cumulative counts of a chart', () => {
    const { numbers, ended } = world();
    for (const duration of [5, 30, 80, 300, 3_000]) ended({ duration });
    expect(numbers.latencyUpTo([10, 100, 1_000, 10_000])).toEqual([1, 3, 4, 5]);
  });

  test('latencyUpTo counts a call that took exactly as long as a bound', () => {
    const { numbers, ended } = world();
    for (const duration of [0, 100, 1_000]) ended({ duration });
    expect(numbers.latencyUpTo([-1, 0, 100, 900, 1_000, Infinity])).toEqual([0, 1, 2, 2, 3, 3]);
  });
});

describe('the memory of metrics', () => {
  test('metrics use bounded memory for any number of names and errors', () => {
    const { numbers, ended } = world({ series: 10 });
    for (let nth = 0; nth < 2_000; nth++)
      ended({
        origin: `https://${nth}.example`,
        operation: `operation ${nth}`,
        error: new HoldfastError('x', { code: `code-${nth}`, category: 'unknown' }),
      });
    ended({ origin: 'https://7.example' });
    const { origins, operations, topErrors, calls } = numbers.snapshot();
    expect(Object.keys(origins)).toHaveLength(11);
    expect(Object.keys(operations)).toHaveLength(11);
    expect(origins['(others)']?.calls).toBe(1_990);
    expect(origins['https://7.example']?.calls).toBe(2);
    expect([topErrors.length, calls]).toEqual([10, 2_001]);
  });

  test('metrics keep the frequent errors among many rare ones', () => {
    const { numbers, ended } = world();
    for (let nth = 0; nth < 1_000; nth++) {
      ended({ error: new HoldfastError('x', { code: `rare-${nth}`, category: 'unknown' }) });
      if (nth % 4 === 0) ended(refused);
    }
    expect(numbers.snapshot().topErrors[0]).toMatchObject({ code: 'network', count: 250 });
  });
});

describe('an alarm', () => {
  test('an alarm is emitted if a threshold is passed, and when that is over', async () => {
    const { ended, alarms, clock, numbers } = world({ thresholds: { errorRate: 0.5 } });
    ended(refused, 9);
    expect(alarms).toEqual([]);
    await clock.advance(1_000);
    ended(refused);
    expect(alarms).toMatchObject([{ name: 'errorRate', value: 1, threshold: 0.5, raised: true }]);
    expect(numbers.snapshot().alarms).toMatchObject([{ name: 'errorRate' }]);
    await clock.advance(61_000);
    ended({}, 10);
    await clock.advance(1_000);
    ended();
    expect(alarms.map(({ raised }) => raised)).toEqual([true, false]);
    expect(numbers.snapshot().alarms).toEqual([]);
  });

  test('an alarm is emitted once while its figure moves around the threshold', async () => {
    const { ended, alarms, clock, numbers } = world({ windows: ['1s'], thresholds: { staleRate: 0.5 } });
    for (let nth = 0; nth < 20; nth++) {
      ended({ source: 'stale' }, nth % 2 ? 11 : 10);
      ended({ source: 'network' }, nth % 2 ? 10 : 11);
      numbers.snapshot();
      await clock.advance(2_000);
    }
    expect(alarms.map(({ raised }) => raised)).toEqual([true]);
  });

  test('an alarm is emitted at once for an event that may be the last for a while', () => {
    const { numbers, alarms, ended } = world({ thresholds: { deadLetters: 1, errorRate: 0.5 } });
    numbers.receive({ type: 'sending', id: 'i', origin: ORIGIN, lane: 'l', attempt: 1, callId: 'c' });
    numbers.receive({ type: 'dead-lettered', id: 'i', origin: ORIGIN, lane: 'l', reason: 'expired' });
    ended(refused, 10);
    expect(alarms.map(({ name }) => name)).toEqual(['deadLetters', 'errorRate']);
  });

  test('an alarm with threshold 0 is emitted for the first error, and not before', async () => {
    const { ended, alarms, clock, numbers } = world({ thresholds: { errorRate: 0 } });
    ended({}, 20);
    await clock.advance(1_000);
    ended();
    expect(alarms).toEqual([]);
    ended(refused);
    numbers.snapshot();
    expect(alarms).toMatchObject([{ name: 'errorRate', threshold: 0, raised: true }]);
    await clock.advance(61_000);
    ended({}, 20);
    numbers.snapshot();
    expect(alarms.map(({ raised }) => raised)).toEqual([true, false]);
  });

  test('an alarm is over if its figure is low, even if few calls come', async () => {
    const { ended, alarms, clock } = world({ thresholds: { errorRate: 0.5 } });
    ended(refused, 20);
    await clock.advance(120_000);
    ended();
    expect(alarms.map(({ value, raised }) => [value, raised])).toEqual([
      [1, true],
      [0, false],
    ]);
  });

  test('a reset ends an alarm and emits that', () => {
    const { ended, alarms, numbers } = world({ thresholds: { errorRate: 0.5 } });
    ended(refused, 20);
    numbers.reset();
    expect(alarms.map(({ raised }) => raised)).toEqual([true, false]);
    ended(refused, 20);
    expect(alarms).toHaveLength(3);
  });

  test('an alarm on the age of the queue is emitted even without a network', async () => {
    const { host, clock, alarms, numbers } = world({
      thresholds: { queueAge: '10m' },
      health: async () =>
        ({
          at: clock.now(),
          outbox: { waiting: 1, deadLetters: 0, count: 1, bytes: 1, oldest: begun },
        }) as ClientHealth,
    });
    const begun = clock.now();
    host.connectivity.set(false);
    await clock.advance(900_000);
    numbers.close();
    expect(alarms.map(({ name }) => name)).toEqual(['queueAge']);
  });

  test('an alarm may watch latency, fallbacks and dead letters', async () => {
    const { ended, alarms, numbers, clock } = world({
      thresholds: { p95: '1s', fallbackRate: 0.2, deadLetters: 2 },
    });
    ended({ duration: 2_000, source: 'fallback' }, 10);
    const letter = { type: 'dead-lettered', id: 'i', origin: ORIGIN, lane: 'l', reason: 'expired' } as const;
    numbers.receive(letter);
    await clock.advance(1_000);
    numbers.receive(letter);
    expect(new Set(alarms.map(({ name }) => name))).toEqual(new Set(['p95', 'fallbackRate', 'deadLetters']));
    numbers.close();
  });

  test('an alarm may watch the facts of other parts: the age of the queue, the quota', async () => {
    let found: Partial<ClientHealth> = {};
    const { alarms, clock, numbers } = world({
      thresholds: { queueAge: '10m', quota: 0.9, deadLetters: 3 },
      health: async () => ({ at: clock.now(), ...found }) as ClientHealth,
    });
    await clock.advance(150_000);
    expect(alarms).toEqual([]);
    found = {
      outbox: { waiting: 4, deadLetters: 3, count: 4, bytes: 9, oldest: clock.now() - 700_000 },
      quota: { usage: 95, quota: 100 },
    };
    await clock.advance(150_000);
    expect(alarms.map(({ name, raised }) => [name, raised])).toEqual([
      ['deadLetters', true],
      ['queueAge', true],
      ['quota', true],
    ]);
    numbers.close();
    const rung = alarms.length;
    found = { quota: { usage: 1, quota: 100 } };
    await clock.advance(600_000);
    expect(alarms).toHaveLength(rung);
  });

  const throwing = (): void => {
    throw new Error('mine');
  };
  // An unhandled rejection is an error of the run.
  const rejecting = async (): Promise<void> => throwing();

  test.each([
    ['throws', throwing],
    ['is async and rejects', rejecting as () => void],
  ])('an alarm whose listener %s, or whose health fails, harms no call', async (_, onAlarm) => {
    const { ended, numbers, clock } = world({
      thresholds: { errorRate: 0.1 },
      onAlarm,
      health: () => Promise.reject(new Error('mine, too')),
    });
    ended(refused, 10);
    await clock.advance(200_000);
    expect(numbers.snapshot().calls).toBe(10);
    numbers.close();
  });
});

test('any thrown value is counted, and is no label', () => {
  const { ended, numbers } = world();
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  ended({ error: proxy });
  ended({
    error: Object.defineProperty(new Error('mine'), 'name', {
      get() {
        throw new Error('mine, too');
      },
    }),
  });
  for (let nth = 0; nth < 50; nth++) ended({ error: { category: `secret-${nth}` } });
  expect(numbers.snapshot()).toMatchObject({ calls: 52, categories: { unknown: 52 } });
});

test('a snapshot of metrics is plain data without error messages', () => {
  const { numbers, ended } = world();
  ended(refused);
  const text = JSON.stringify(numbers.snapshot());
  expect(text).not.toMatch(/s3cr3t|10\.0\.0/);
  expect(JSON.parse(text)).toEqual(numbers.snapshot());
});

test.each<[HoldfastEvent, string]>([
  [{ type: 'dead-lettered', id: 'i', origin: 'o', lane: 'l', reason: 'expired' }, 'critical'],
  [{ type: 'store-failed', store: 's', operation: 'o', error: 1 }, 'critical'],
  [{ type: 'circuit', origin: 'o', from: 'closed', to: 'open' }, 'unexpected'],
  [{ type: 'circuit', origin: 'o', from: 'open', to: 'closed' }, 'expected'],
  [{ type: 'cache-updated', url: 'u' }, 'expected'],
])('an event has a severity: %j', (event, severity) => {
  expect(severityOf(event)).toBe(severity);
});

test('an impossible metrics option throws an error that names it', () => {
  expect(() => metrics({ windows: [] })).toThrow(/metrics\.windows: .* at least one/);
  expect(() => metrics({ thresholds: { errorRate: 50 } })).toThrow(
    /metrics\.thresholds\.errorRate: 50 .* 0 to 1/,
  );
  expect(() => metrics({ thresholds: { queueAge: '1h' } })).toThrow(
    /metrics\.thresholds\.queueAge: 3600000 .*name `health`/,
  );
  expect(() => metrics(new Map() as object)).toThrow(/metrics: \{\} .* an object/);
  expect(() => metrics({ threshold: {} } as object)).toThrow(/metrics\.threshold: .* unknown option/);
});
