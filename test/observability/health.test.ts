import { describe, expect, test } from 'vitest';
import { createFetch } from '../../src/client/fetch.ts';
import { type ClientParts, clientHealth } from '../../src/observability/health/client.ts';
import { type CheckOptions, health, waitUntilHealthy } from '../../src/observability/health/health.ts';
import { monitor } from '../../src/observability/health/monitor.ts';
import { breaker } from '../../src/policies/breaker/breaker.ts';
import { cachePolicy } from '../../src/policies/cache/cache.ts';
import { outboxPolicy } from '../../src/policies/outbox/outbox.ts';
import { ConfigurationError } from '../../src/primitives/failure.ts';
import { memoryStore } from '../../src/stores/memory.ts';
import {
  hang,
  networkError,
  ok,
  type ScriptedOrigin,
  scriptedOrigin,
  slow,
  stalledBody,
  status,
  type TestHost,
  testHost,
  virtualClock,
} from '../../src/testing.ts';
import { browserSays } from '../support/browser-says.ts';
import { durableStore } from '../support/durable.ts';
import { quiet } from '../support/platform.ts';

const URL_ = 'https://api.example.com/health';
const ORIGIN = 'https://api.example.com';

interface World {
  readonly host: TestHost;
  readonly clock: TestHost['clock'];
  readonly origin: ScriptedOrigin;
  readonly asking: Pick<Required<CheckOptions>, 'fetch' | 'host'>;
}

function world(): World {
  const host = testHost({ clock: virtualClock({ quiet }) });
  const origin = scriptedOrigin(host.clock);
  const fetch = (url: string, { signal, ...init }: RequestInit) =>
    origin.fetch(new Request(url, init), signal ? { signal } : {});
  return { host, clock: host.clock, origin, asking: { fetch, host } };
}

const redirected = (url: string): Response =>
  Object.defineProperties(ok('sign in'), { redirected: { value: true }, url: { value: url } });

describe('the health of a URL', () => {
  test('health() sends one request and measures its latency', async () => {
    const { origin, clock, asking } = world();
    origin.replies(slow(clock, 70, () => status(204)));
    expect(await health(URL_, asking)).toEqual({
      url: URL_,
      healthy: true,
      latency: 70,
      checkedAt: clock.now(),
      status: 204,
    });
    expect(origin.seen.map(({ method }) => method)).toEqual(['GET']);
  });

  test.each<[string, Parameters<ScriptedOrigin['otherwise']>[0], object]>([
    ['status', () => status(503), { status: 503 }],
    ['network', networkError(), {}],
    ['timeout', hang(), {}],
    ['redirected', redirected('https://portal.example/'), { status: 200 }],
  ])('health() reports a URL as unhealthy, with the reason %s', async (reason, step, more) => {
    const { origin, asking } = world();
    origin.otherwise(step);
    expect(await health(URL_, asking)).toMatchObject({ healthy: false, reason, ...more });
  });

  test.each<[unknown, boolean, string | undefined]>([
    [true, true, undefined],
    [undefined, true, undefined],
    [false, false, 'check'],
    ['the database is away', false, 'the database is away'],
    [new Error('no'), false, 'check'],
  ])('health() reports what `check` returns for a 2xx: %s', async (said, healthy, reason) => {
    const { asking, clock } = world();
    const check = async (response: Response) => {
      // Firefox takes its own time to read a body.
      expect(await clock.busy(response.text())).toBe('ok');
      if (said instanceof Error) throw said;
      return said as boolean;
    };
    const found = await health(URL_, { ...asking, check });
    expect([found.healthy, found.reason]).toEqual([healthy, reason]);
  });

  test('health() ends by its timeout, even if the body stalls or the check hangs', async () => {
    const { origin, asking } = world();
    origin.replies(stalledBody('{"status":').response, ok());
    const reading = { check: async (response: Response) => (await response.text()) === 'ok' };
    const hanging = { check: () => new Promise<boolean>(() => {}) };
    for (const own of [reading, hanging])
      expect(await health(URL_, { ...asking, ...own, timeout: '2s' })).toMatchObject({
        healthy: false,
        reason: 'timeout',
        latency: 2_000,
      });
  });

  test('health() rejects with the reason of the caller’s abort, and with no other', async () => {
    const { origin, asking } = world();
    origin.otherwise(hang());
    const abort = new AbortController();
    const pending = health(URL_, { ...asking, signal: abort.signal });
    const failed = pending.catch((reason) => reason);
    abort.abort('gone');
    expect(await failed).toBe('gone');
    await expect(health(URL_, { ...asking, signal: AbortSignal.abort('before') })).rejects.toBe('before');
  });

  test('health() leaves no body unread', async () => {
    const { origin, asking } = world();
    let cancelled = 0;
    const respond = () => new Response(new ReadableStream({ cancel: () => void cancelled++ }));
    origin.replies(respond(), respond());
    await health(URL_, asking);
    await health(URL_, { ...asking, check: () => 'no' });
    expect(cancelled).toBe(2);
  });

  test('health() rejects an invalid URL and an impossible option', async () => {
    await expect(health('http://')).rejects.toThrow(/health\.url: 'http:\/\/' .* expected a URL/);
    await expect(health(URL_, { timeout: 'soon' as never })).rejects.toThrow(/health\.timeout: 'soon'/);
    await expect(health(URL_, { check: true as never })).rejects.toThrow(/health\.check: true .* function/);
  });
});

describe('waiting until a URL is healthy', () => {
  test('waitUntilHealthy ends with the first healthy response', async () => {
    const { origin, clock, asking } = world();
    origin.replies(networkError(), status(503));
    expect(await waitUntilHealthy(URL_, asking)).toMatchObject({ healthy: true });
    expect(origin.seen).toHaveLength(3);
    expect(clock.ticks()).toBeGreaterThan(1_600);
    expect(clock.ticks()).toBeLessThan(2_400);
  });

  test('waitUntilHealthy ends by its timeout, with the last result', async () => {
    const { origin, clock, asking } = world();
    origin.otherwise(() => status(503));
    await expect(waitUntilHealthy(URL_, { ...asking, timeout: '10s', interval: '2s' })).rejects.toMatchObject(
      {
        code: 'unhealthy',
        category: 'timeout',
        message: `${ORIGIN} was not healthy within 10000 ms: status 503`,
      },
    );
    expect(clock.ticks()).toBeLessThanOrEqual(10_000);
    expect(origin.seen.length).toBeGreaterThan(3);
  });

  test('waitUntilHealthy ends with the reason of the caller’s abort, also between two checks', async () => {
    const { origin, asking, clock } = world();
    origin.otherwise(() => status(503));
    const abort = new AbortController();
    clock.after(2_500, () => abort.abort('enough'));
    await expect(waitUntilHealthy(URL_, { ...asking, signal: abort.signal })).rejects.toBe('enough');
  });

  test('waitUntilHealthy lasts its whole timeout, even if that is shorter than the interval', async () => {
    const { origin, clock, asking } = world();
    origin.otherwise(() => status(503));
    clock.after(20_000, () => origin.otherwise(() => ok()));
    const waiting = { ...asking, timeout: '60s', interval: '5m' } as const;
    expect(await waitUntilHealthy(URL_, waiting)).toMatchObject({ healthy: true });
    expect(origin.seen).toHaveLength(2);
  });

  test('waitUntilHealthy checks at once when the network comes back', async () => {
    const { origin, host, clock, asking } = world();
    origin.replies(networkError());
    clock.after(100, () => {
      host.connectivity.set(false);
      host.connectivity.set(true);
    });
    await waitUntilHealthy(URL_, { ...asking, interval: '30s' });
    expect(clock.ticks()).toBe(100);
  });
});

describe('a monitor of health', () => {
  const circuits = () => {
    const switched: string[] = [];
    return {
      switched,
      isolate: (origin: string) => void switched.push(`isolate ${origin}`),
      reset: (origin: string) => void switched.push(`reset ${origin}`),
    };
  };

  test('a monitor opens the circuit after some failures, and closes it again', async () => {
    const { origin, clock, asking } = world();
    const breaker = circuits();
    const changes: boolean[] = [];
    origin.replies(ok(), status(503), ok(), status(503), networkError(), status(500), ok());
    const watch = monitor(URL_, {
      ...asking,
      interval: '10s',
      breaker,
      onChange: ({ healthy }) => changes.push(healthy),
    });
    await clock.advance(100_000);
    watch.close();
    expect(breaker.switched).toEqual([`isolate ${ORIGIN}`, `reset ${ORIGIN}`]);
    expect(changes).toEqual([false, true]);
    expect(watch.states()).toMatchObject([{ url: URL_, healthy: true }]);
  });

  test('a monitor keeps a circuit open as long as one URL of its origin is unhealthy', async () => {
    const { origin, clock, asking } = world();
    const breaker = circuits();
    let broken = ['a', 'b'];
    origin.otherwise((request) => status(broken.some((each) => request.url.endsWith(each)) ? 503 : 200));
    const watch = monitor([`${ORIGIN}/a`, `${ORIGIN}/b`, 'https://other.example/'], {
      ...asking,
      interval: '10s',
      breaker,
    });
    await clock.advance(30_000);
    broken = ['b'];
    await clock.advance(30_000);
    expect(breaker.switched).toEqual([`isolate ${ORIGIN}`]);
    broken = [];
    await clock.advance(30_000);
    expect(breaker.switched).toEqual([`isolate ${ORIGIN}`, `reset ${ORIGIN}`]);
    watch.close();
  });

  test('a monitor leaves a circuit open that another monitor keeps open', async () => {
    const { origin, clock, asking } = world();
    const breaker = circuits();
    let broken = ['a', 'b'];
    origin.otherwise((request) => status(broken.some((each) => request.url.endsWith(each)) ? 503 : 200));
    const [one, other] = ['a', 'b'].map((path) =>
      monitor(`${ORIGIN}/${path}`, { ...asking, interval: '10s', breaker }),
    );
    await clock.advance(30_000);
    broken = ['b'];
    await clock.advance(30_000);
    one?.close();
    expect(breaker.switched).toEqual([`isolate ${ORIGIN}`]);
    other?.close();
    expect(breaker.switched).toEqual([`isolate ${ORIGIN}`, `reset ${ORIGIN}`]);
  });

  test('a closed monitor closes its circuits, sends no requests and notifies no listener', async () => {
    const { origin, clock, asking } = world();
    const breaker = circuits();
    origin.otherwise(() => status(503));
    const watch = monitor(URL_, { ...asking, interval: '10s', failures: 1, breaker });
    await clock.advance(5_000);
    watch.close();
    const requests = origin.seen.length;
    await clock.advance(600_000);
    expect(breaker.switched).toEqual([`isolate ${ORIGIN}`, `reset ${ORIGIN}`]);
    expect(origin.seen).toHaveLength(requests);
  });

  test('a monitor that a listener closes opens the circuit of no further origin', async () => {
    const { origin, clock, asking } = world();
    const breaker = circuits();
    origin.otherwise(() => status(503));
    const watch = monitor(['https://a.example/', 'https://b.example/'], {
      ...asking,
      failures: 1,
      breaker,
      onChange: () => watch.close(),
    });
    await clock.advance(10_000);
    expect(breaker.switched).toEqual(['isolate https://a.example', 'reset https://a.example']);
  });

  test('a monitor counts two checks at the same time as one', async () => {
    const { origin, asking } = world();
    const breaker = circuits();
    origin.otherwise(() => status(503));
    const watch = monitor(URL_, { ...asking, failures: 2, breaker });
    await Promise.all([watch.check(), watch.check()]);
    expect([breaker.switched, origin.seen.length]).toEqual([[], 1]);
    watch.close();
  });

  test('a monitor closes its circuits while the page is hidden, since it does not check then', async () => {
    const { turn } = browserSays({});
    const { origin, clock, asking } = world();
    const breaker = circuits();
    origin.otherwise(() => status(503));
    const watch = monitor(URL_, { ...asking, interval: '10s', failures: 1, breaker });
    await clock.advance(5_000);
    turn(true);
    await clock.advance(60_000);
    expect(breaker.switched).toEqual([`isolate ${ORIGIN}`, `reset ${ORIGIN}`]);
    turn(false);
    await clock.advance(1_000);
    expect(breaker.switched).toEqual([`isolate ${ORIGIN}`, `reset ${ORIGIN}`, `isolate ${ORIGIN}`]);
    watch.close();
  });

  test('a monitor sends no request without a network, and one at once when it comes back', async () => {
    const { origin, host, clock, asking } = world();
    host.connectivity.set(false);
    const watch = monitor(URL_, { ...asking, interval: '10s' });
    await clock.advance(600_000);
    expect(origin.seen).toHaveLength(0);
    host.connectivity.set(true);
    await clock.advance(1);
    expect(origin.seen).toHaveLength(1);
    watch.close();
  });

  test('a monitor lets a real breaker reject calls', async () => {
    const { origin, host, clock, asking } = world();
    const shared = breaker();
    const api = createFetch({ breaker: shared, retry: false, fetch: origin.fetch, host });
    origin.otherwise(() => status(503));
    const watch = monitor(URL_, { ...asking, interval: '10s', breaker: shared });
    await clock.advance(30_000);
    await expect(api(URL_)).rejects.toMatchObject({ code: 'circuit-open' });
    origin.otherwise(() => ok());
    await watch.check();
    expect((await api(URL_)).status).toBe(200);
    watch.close();
    await api.close();
  });

  test('a monitor does not end an isolation of the application', async () => {
    const { origin, clock, asking } = world();
    const shared = breaker();
    shared.isolate(ORIGIN);
    origin.otherwise(() => status(503));
    const watch = monitor(URL_, { ...asking, interval: '10s', failures: 1, breaker: shared });
    await clock.advance(15_000);
    origin.otherwise(() => ok());
    await clock.advance(15_000);
    watch.close();
    expect(watch.states()).toMatchObject([{ healthy: true }]);
    expect(shared.states()).toMatchObject({ [ORIGIN]: { state: 'isolated' } });
  });

  test('a monitor without URLs, or with an object that is no breaker, throws an error', () => {
    expect(() => monitor([])).toThrow(/monitor\.urls: .* at least one URL/);
    expect(() => monitor(URL_, { breaker: {} as never })).toThrow(
      /monitor\.breaker: {} .* lacks isolate, reset/,
    );
    expect(() => monitor(URL_, { every: '10s' } as object)).toThrow(/monitor\.every: .* unknown option/);
  });
});

describe('the health of a client', () => {
  test('clientHealth() reports all parts in one object', async () => {
    const { origin, host, clock } = world();
    const store = durableStore();
    const parts = {
      breaker: breaker({ failures: 1 }),
      outbox: outboxPolicy({ store }, memoryStore),
      staleCache: cachePolicy({ store: memoryStore() }, memoryStore),
    };
    const api = createFetch({
      ...parts,
      retry: false,
      partition: 'ann',
      fetch: origin.fetch,
      host,
      name: 'whole',
    });
    expect(await clientHealth(parts)).toMatchObject({
      status: 'ok',
      reachability: 'online',
      circuits: [],
      outbox: { waiting: 0, deadLetters: 0 },
      staleCache: { entries: 0 },
    });
    origin.replies(status(503), status(404));
    await api(URL_);
    await api('https://other.example/');
    host.connectivity.set(false);
    await api(URL_, { method: 'POST', body: 'x', holdfast: { outbox: true } });
    expect(await clientHealth(parts)).toMatchObject({
      status: 'degraded',
      circuits: [
        { origin: ORIGIN, state: 'closed' },
        { origin: 'https://other.example', state: 'closed' },
        { origin: URL_, state: 'open' },
      ],
      outbox: { waiting: 1, oldest: clock.now() },
    });
    store.break('fail');
    expect(await clientHealth(parts)).toMatchObject({
      status: 'degraded',
      outbox: { error: expect.any(String) },
    });
    await api.close();
  });

  test.each<[ClientParts, string]>([
    [{}, 'ok'],
    [{ connectivity: { reachability: 'captive' } }, 'down'],
    [{ breaker: Object.assign(() => {}, { states: () => ({ a: { state: 'open' } }) }) as never }, 'down'],
    [
      { breaker: Object.assign(() => {}, { states: () => ({ a: { state: 'half-open' } }) }) as never },
      'degraded',
    ],
    [{ monitor: { states: () => [{ url: URL_, healthy: false, latency: 1, checkedAt: 1 }] } }, 'degraded'],
  ])('clientHealth() derives its status from its parts: %#', async (parts, status) => {
    expect((await clientHealth(parts)).status).toBe(status);
  });

  test('clientHealth() reports in time although one part hangs', async () => {
    const { host } = world();
    const outbox = Object.assign(() => {}, { counts: () => new Promise(() => {}), entries: async () => [] });
    const whole = await clientHealth({ outbox, host } as never);
    expect(whole).toMatchObject({ status: 'degraded', outbox: { error: 'timeout' } });
  });

  test('clientHealth() rejects an object that is no part of a client', async () => {
    await expect(clientHealth({ outbox: {} as never })).rejects.toThrow(ConfigurationError);
    await expect(clientHealth({ monitor: {} as never })).rejects.toThrow(/clientHealth\.monitor.*states/);
    await expect(clientHealth({ connectivity: {} as never })).rejects.toThrow(/clientHealth\.connectivity/);
    await expect(clientHealth({ client: 1 } as object)).rejects.toThrow(/clientHealth\.client/);
  });
});
