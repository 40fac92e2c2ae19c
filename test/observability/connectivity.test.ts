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
} from '../../src/testing/index.ts';
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
const elsewhere = (): Response =>
  Object.defineProperties(ok('sign in'), {
    redirected: { value: true },
    url: { value: 'https://portal.example/' },
  });

describe('that there is no network', () => {
  test('is believed, and nothing is probed', async () => {
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

describe('that there is a network', () => {
  test('is a hint: nothing is probed without a reason, and it is online', async () => {
    const { online, origin, clock } = world();
    await clock.advance(600_000);
    expect([online.state, origin.seen.length]).toEqual([true, 0]);
    online.close();
  });

  test.each<[Reachability, Parameters<ScriptedOrigin['otherwise']>[0]]>([
    ['unreachable', networkError()],
    ['unreachable', hang()],
    ['captive', elsewhere],
    ['online', () => status(503)],
    ['online', () => status(204)],
  ])('is %s after a call found none, by what the probe finds', async (reachability, step) => {
    const { online, origin, clock } = world();
    origin.otherwise(step);
    online.receive({ ...failed, error: 'network' });
    await clock.advance(6_000);
    expect(online.reachability).toBe(reachability);
    expect(online.state).toBe(reachability === 'online');
    online.close();
  });

  test('a portal that answers in the probe’s place is known by what it says', async () => {
    const { online, origin, clock } = world({
      check: async (answer: Response) => (await answer.text()) === 'pong',
    });
    origin.replies(ok('<html>welcome to the hotel'), ok('pong'));
    expect(await online.check()).toBe('captive');
    await clock.advance(20_000);
    expect(online.reachability).toBe('online');
    online.close();
  });

  test.each<[string, () => Response, object]>([
    ['that asks to sign in (RFC 6585, 6)', () => status(511), {}],
    [
      'that redirects, where redirects are not followed',
      () => new Response(null, { status: 302, headers: { location: 'https://portal.example/' } }),
      { init: { redirect: 'manual' } },
    ],
  ])('a portal is one %s', async (_, answer, own) => {
    const { online, origin } = world(own);
    origin.replies(answer);
    expect(await online.check()).toBe('captive');
    online.close();
  });

  test('is not known from a probe over the network before', async () => {
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

  test('is looked at now and then while there is no way out, and told when there is one', async () => {
    const { online, origin, clock, changes } = world();
    const told: boolean[] = [];
    online.subscribe((up) => told.push(up));
    origin.replies(networkError(), networkError(), networkError());
    await online.check();
    await clock.advance(60_000);
    expect(origin.seen).toHaveLength(4);
    expect(changes).toEqual(['unreachable', 'online']);
    expect(told).toEqual([false, true]);
    await clock.advance(600_000);
    expect(origin.seen).toHaveLength(4);
    online.close();
  });

  test('is looked at less often where data is to be saved, and not while nobody looks at the page', async () => {
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

  test('is not probed by everybody who fails: once in a while', async () => {
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

  test('that has just come back is probed, and taken for good meanwhile', async () => {
    const { online, host, origin, clock } = world();
    origin.replies(networkError());
    await online.check();
    host.connectivity.set(false);
    origin.replies(elsewhere());
    host.connectivity.set(true);
    expect(online.reachability).toBe('online');
    await clock.advance(1);
    expect(online.reachability).toBe('captive');
    online.close();
  });
});

test('a pipeline waits with its retries until there is a way out', async () => {
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
  const answer = api('https://api.example.com/');
  await clock.advance(120_000);
  expect((await answer).status).toBe(200);
  expect(calls.seen).toHaveLength(2);
  await api.close();
  online.close();
});

test('what is closed leaves nothing behind', async () => {
  const { online, origin, host, clock, changes } = world();
  origin.otherwise(networkError());
  await online.check();
  online.close();
  const asked = origin.seen.length;
  host.connectivity.set(false);
  host.connectivity.set(true);
  online.receive({ ...failed, error: 'network' });
  await online.check();
  await clock.advance(600_000);
  expect(origin.seen).toHaveLength(asked);
  expect(changes).toEqual(['unreachable']);
  expect(clock.pending ?? 0).toBe(0);
});

test('what is closed believes the platform, so that nobody waits for ever', async () => {
  const { online, origin } = world();
  const told: boolean[] = [];
  origin.replies(networkError());
  await online.check();
  online.subscribe((up) => told.push(up));
  online.close();
  expect([online.state, told]).toEqual([true, [true]]);
});

test('who listens anew while being told is told of the next change', async () => {
  const { online, origin } = world();
  let heard = 0;
  const once = (): void => {
    const end = online.subscribe(() => {
      end();
      if (++heard < 100) once();
    });
  };
  once();
  origin.replies(networkError());
  await online.check();
  expect(heard).toBe(1);
  online.close();
});

test('a listener that throws keeps nobody from hearing', async () => {
  const { online, origin } = world({
    onChange() {
      throw new Error('mine');
    },
  });
  const told: boolean[] = [];
  online.subscribe(() => {
    throw new Error('mine, too');
  });
  online.subscribe((up) => told.push(up));
  origin.replies(networkError());
  await online.check();
  expect(told).toEqual([false]);
  online.close();
});

test('options that cannot be meant are errors', () => {
  expect(() => connectivity({} as never)).toThrow(/connectivity\.probe/);
  expect(() => connectivity({ probe: 'http://' })).toThrow(/connectivity\.probe: 'http:\/\/' .* URL/);
  expect(() => connectivity({ probe: PROBE, interval: 0 })).toThrow(/connectivity\.interval: 0/);
});
