import { describe, expect, test } from 'vitest';
import { createFetch } from '../../src/client/fetch.ts';
import { connectivity, type Reachability } from '../../src/observability/connectivity.ts';
import {
  hang,
  networkError,
  ok,
  type ScriptedOrigin,
  scriptedOrigin,
  status,
  testHost,
  virtualClock,
} from '../../src/testing.ts';
import { browserSays } from '../support/browser-says.ts';
import { quiet } from '../support/platform.ts';

const PROBE = 'https://app.example.com/ping';

function world(own: object = {}) {
  const host = testHost({ clock: virtualClock({ quiet }) });
  const { clock } = host;
  const origin = scriptedOrigin(clock);
  const changes: Reachability[] = [];
  const fetch = (url: string, { signal, ...init }: RequestInit) =>
    origin.fetch(new Request(url, init), signal ? { signal } : {});
  const online = connectivity({ probe: PROBE, fetch, host, onChange: (now) => changes.push(now), ...own });
  return { host, clock, origin, changes, online };
}

const failed = {
  type: 'attempt-ended',
  callId: 'c',
  attempt: 1,
  origin: 'o',
  startedAt: 0,
  duration: 1,
} as const;
const portalResponse = (): Response =>
  Object.defineProperties(ok('sign in'), {
    redirected: { value: true },
    url: { value: 'https://portal.example/' },
  });

describe('a platform without a network', () => {
  test('connectivity believes the platform that there is no network, and sends no probe', async () => {
    const { host, online, origin, clock, changes } = world();
    host.connectivity.set(false);
    expect([online.state, online.reachability]).toEqual([false, 'offline']);
    online.receive({ ...failed, error: 'network' });
    await clock.advance(600_000);
    expect(await online.check()).toBe('offline');
    expect(origin.seen).toHaveLength(0);
    expect(changes).toEqual(['offline']);
    online.close();
  });
});

describe('a platform with a network', () => {
  test('connectivity is online without a probe while no call fails', async () => {
    const { online, origin, clock } = world();
    await clock.advance(600_000);
    expect([online.state, origin.seen.length]).toEqual([true, 0]);
    online.close();
  });

  test.each<[Reachability, Parameters<ScriptedOrigin['otherwise']>[0]]>([
    ['unreachable', networkError()],
    ['unreachable', hang()],
    ['captive', portalResponse],
    ['online', () => status(503)],
    ['online', () => status(204)],
  ])('connectivity is %s after a network error, by the result of the probe', async (reachability, step) => {
    const { online, origin, clock } = world();
    origin.otherwise(step);
    online.receive({ ...failed, error: 'network' });
    await clock.advance(6_000);
    expect(online.reachability).toBe(reachability);
    expect(online.state).toBe(reachability === 'online');
    online.close();
  });

  test('connectivity knows a portal that responds to the probe by the result of `check`', async () => {
    const { online, origin, clock } = world({
      check: async (response: Response) => (await response.text()) === 'pong',
    });
    origin.replies(ok('<html>welcome to the hotel'), ok('pong'));
    expect(await online.check()).toBe('captive');
    await clock.advance(20_000);
    expect(online.reachability).toBe('online');
    online.close();
  });

  test.each<[string, () => Response, object]>([
    ['asks to sign in (RFC 6585, 6)', () => status(511), {}],
    [
      'redirects a probe that follows no redirects',
      () => new Response(null, { status: 302, headers: { location: 'https://portal.example/' } }),
      { init: { redirect: 'manual' } },
    ],
  ])('connectivity knows a portal that %s', async (_, respond, own) => {
    const { online, origin } = world(own);
    origin.replies(respond);
    expect(await online.check()).toBe('captive');
    online.close();
  });

  test('connectivity ignores a probe over the network before', async () => {
    const { online, origin, host, clock, changes } = world();
    origin.replies(hang());
    clock.after(100, () => {
      host.connectivity.set(false);
      host.connectivity.set(true);
    });
    void online.check();
    await clock.advance(10_000);
    expect(origin.seen).toHaveLength(2);
    expect(changes).toEqual(['offline', 'online']);
    online.close();
  });

  test('connectivity probes now and then while there is no way out, and notifies listeners when there is one', async () => {
    const { online, origin, clock, changes } = world();
    const notified: boolean[] = [];
    online.subscribe((up) => notified.push(up));
    origin.replies(networkError(), networkError(), networkError());
    await online.check();
    await clock.advance(60_000);
    expect(origin.seen).toHaveLength(4);
    expect(changes).toEqual(['unreachable', 'online']);
    expect(notified).toEqual([false, true]);
    await clock.advance(600_000);
    expect(origin.seen).toHaveLength(4);
    online.close();
  });

  test('connectivity probes less often if data is to be saved, and never while the page is hidden', async () => {
    const { turn } = browserSays({ saveData: true });
    const { online, origin, clock } = world();
    origin.otherwise(networkError());
    await online.check();
    await clock.advance(45_000);
    expect(origin.seen).toHaveLength(1);
    await clock.advance(30_000);
    expect(origin.seen).toHaveLength(2);
    turn(true);
    await clock.advance(600_000);
    expect(origin.seen).toHaveLength(2);
    turn(false);
    await clock.advance(1_000);
    expect(origin.seen).toHaveLength(3);
    online.close();
  });

  test('connectivity sends one probe for many failed calls, and the next after a while', async () => {
    const { online, origin, clock } = world();
    for (let nth = 0; nth < 50; nth++) online.receive({ ...failed, error: 'network' });
    await clock.advance(5_000);
    for (let nth = 0; nth < 50; nth++) online.receive({ ...failed, error: 'timeout-attempt' });
    await clock.advance(1_000);
    expect(origin.seen).toHaveLength(1);
    await clock.advance(5_000);
    online.receive({ ...failed, error: 'network' });
    online.receive({ ...failed, status: 500 });
    await clock.advance(1_000);
    expect(origin.seen).toHaveLength(2);
    online.close();
  });

  test('connectivity takes a response as a reason to probe, also in a hidden page', async () => {
    const { turn } = browserSays({});
    const { online, origin, clock } = world();
    origin.replies(networkError());
    await online.check();
    turn(true);
    await clock.advance(60_000);
    expect(online.reachability).toBe('unreachable');
    online.receive({ ...failed, status: 200 });
    await clock.advance(1);
    expect(online.reachability).toBe('online');
    online.close();
  });

  test.each(['before', 'after'])(
    'connectivity that is closed %s the network goes holds up no call',
    async (when) => {
      const { online, host, clock } = world();
      const calls = scriptedOrigin(clock);
      const api = createFetch({
        host: { ...host, connectivity: online },
        fetch: calls.fetch,
        timeout: { total: '10m' },
      });
      calls.replies(networkError());
      if (when === 'before') online.close();
      host.connectivity.set(false);
      clock.after(1_000, () => when === 'after' && online.close());
      clock.after(5_000, () => host.connectivity.set(true));
      expect((await api('https://api.example.com/')).status).toBe(200);
      expect(clock.ticks()).toBeLessThan(6_000);
      await api.close();
    },
  );

  test('connectivity takes a network that has just come back as online until the probe responds', async () => {
    const { online, host, origin, clock } = world();
    origin.replies(networkError());
    await online.check();
    host.connectivity.set(false);
    origin.replies(portalResponse());
    host.connectivity.set(true);
    expect(online.reachability).toBe('online');
    await clock.advance(1);
    expect(online.reachability).toBe('captive');
    online.close();
  });
});

test('a pipeline delays its retries until there is a way out', async () => {
  const { online, origin, clock, host } = world();
  const calls = scriptedOrigin(clock);
  const api = createFetch({
    host: { ...host, connectivity: online },
    onEvent: online.receive,
    fetch: calls.fetch,
    timeout: { total: '10m' },
  });
  calls.replies(networkError());
  origin.replies(networkError(), networkError());
  const response = api('https://api.example.com/');
  await clock.advance(120_000);
  expect((await response).status).toBe(200);
  expect(calls.seen).toHaveLength(2);
  await api.close();
  online.close();
});

test('closed connectivity leaves no timer, no probe and no listener behind', async () => {
  const { online, origin, host, clock, changes } = world();
  origin.otherwise(networkError());
  await online.check();
  online.close();
  const requests = origin.seen.length;
  host.connectivity.set(false);
  host.connectivity.set(true);
  online.receive({ ...failed, error: 'network' });
  await online.check();
  await clock.advance(600_000);
  expect(origin.seen).toHaveLength(requests);
  expect(changes).toEqual(['unreachable']);
  expect(clock.pending ?? 0).toBe(0);
});

test('closed connectivity believes the platform, so that no call waits for ever', async () => {
  const { online, origin } = world();
  const notified: boolean[] = [];
  origin.replies(networkError());
  await online.check();
  online.subscribe((up) => notified.push(up));
  online.close();
  expect([online.state, notified]).toEqual([true, [true]]);
});

test('a listener that subscribes again while it is notified receives the next change', async () => {
  const { online, origin } = world();
  let notified = 0;
  const once = (): void => {
    const end = online.subscribe(() => {
      end();
      if (++notified < 100) once();
    });
  };
  once();
  origin.replies(networkError());
  await online.check();
  expect(notified).toBe(1);
  online.close();
});

test('a listener that throws keeps no other listener from being notified', async () => {
  const { online, origin } = world({
    onChange() {
      throw new Error('mine');
    },
  });
  const notified: boolean[] = [];
  online.subscribe(() => {
    throw new Error('mine, too');
  });
  online.subscribe((up) => notified.push(up));
  origin.replies(networkError());
  await online.check();
  expect(notified).toEqual([false]);
  online.close();
});

test('an impossible connectivity option throws an error that names it', () => {
  expect(() => connectivity({} as never)).toThrow(/connectivity\.probe/);
  expect(() => connectivity({ probe: 'http://' })).toThrow(/connectivity\.probe: 'http:\/\/' .* URL/);
  expect(() => connectivity({ probe: PROBE, interval: 0 })).toThrow(/connectivity\.interval: 0/);
});
