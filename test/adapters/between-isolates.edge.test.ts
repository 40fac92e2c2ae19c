import { describe, expect, test } from 'vitest';
import type { SyncMessage } from '../../src/adapters/cloudflare/coordinator-object.ts';
import { coordinator } from '../../src/adapters/cloudflare/coordinator-object.ts';
import { type BetweenIsolatesOptions, betweenIsolates } from '../../src/cloudflare.ts';
import type { Clock, Policy } from '../../src/core/contract.ts';
import type { HoldfastEvent } from '../../src/core/events.ts';
import { pipeline } from '../../src/core/pipeline.ts';
import { type Breaker, breaker } from '../../src/policies/breaker/breaker.ts';
import type { Sharing } from '../../src/policies/breaker/sharing.ts';
import { rateLimit } from '../../src/policies/rate-limit.ts';
import {
  hang,
  networkError,
  ok,
  type Step,
  scriptedOrigin,
  seeded,
  status,
  testHost,
  virtualClock,
} from '../../src/testing.ts';
import { quiet } from '../support/platform.ts';
import { ORIGIN } from '../support/scenario.ts';

/** The clocks of isolates are minutes apart. */
const shifted = (clock: Clock, by: number): Clock => ({
  now: () => clock.now() + by,
  ticks: () => clock.ticks() + by,
  after: clock.after,
});

interface FleetOptions extends BetweenIsolatesOptions {
  readonly policies?: (share: Sharing, nth: number) => Policy[];
  /** The platform ends requests: their timers never fire. */
  readonly noTimers?: boolean;
}

/** Isolates around one origin and one object, in virtual time. */
function fleet(many: number, { policies, noTimers = false, ...options }: FleetOptions = {}) {
  const clock = virtualClock({ quiet });
  const origin = scriptedOrigin(clock);
  let object = coordinator();
  const reports: SyncMessage[] = [];
  const replies: unknown[] = [];
  /** The work of the object; a test may replace it. */
  const world = { does: (report: SyncMessage): unknown => object(report, clock.ticks()) };
  const isolate = (nth: number) => {
    const events: HoldfastEvent[] = [];
    const background: Promise<unknown>[] = [];
    const circuits: Breaker[] = [];
    const binding = {
      getByName: () => ({
        async exchange(report: SyncMessage): Promise<unknown> {
          reports.push(report);
          const reply = await world.does(structuredClone(report));
          replies.push(reply);
          return structuredClone(reply);
        },
      }),
    };
    const own = shifted(clock, nth * 7 * 60_000);
    const client = () => {
      const share = betweenIsolates(binding, options);
      const made = policies?.(share, nth) ?? [breaker({ share, openFor: '2s', maxWait: 0 })];
      circuits.push(made.find(({ name }) => name === 'breaker') as Breaker);
      return pipeline(made, {
        host: {
          ...testHost(),
          clock: noTimers ? { ...own, after: () => () => {} } : own,
          random: seeded(nth + 1),
          canShareIO: false,
        },
        fetch: origin.fetch,
        onEvent: (event) => events.push(event),
        waitUntil: (work) => background.push(work),
      });
    };
    const fetch = client();
    return {
      fetch,
      client,
      events,
      background,
      circuit: circuits[0] as Breaker,
      emitted: (type: string) => events.filter((event) => event.type === type),
      /** A call, and its background work after the response. */
      async get(through = fetch, url: string = ORIGIN): Promise<number | string> {
        const result = await through(url).then(
          async (response) => {
            await response.text();
            return response.status;
          },
          (error) => error.code ?? error,
        );
        await quiet();
        return result;
      },
    };
  };
  const isolates = Array.from({ length: many }, (_, nth) => isolate(nth));
  return {
    clock,
    origin,
    reports,
    replies,
    world,
    isolates: isolates as unknown as [Isolate, Isolate, Isolate, ...Isolate[]],
    restart() {
      object = coordinator();
    },
  };
  type Isolate = (typeof isolates)[number];
}

const always = ({ origin }: ReturnType<typeof fleet>, step: Step): void => origin.otherwise(step);

async function trip({ get }: { get(): Promise<number | string> }): Promise<void> {
  for (let nth = 0; nth < 6; nth++) if ((await get()) === 'circuit-open') return;
}

const seen = ({ origin }: { origin: { seen: readonly unknown[] } }): number => origin.seen.length;

describe('a circuit between isolates', () => {
  test('a circuit that one isolate opened is open for the next at its second call', async () => {
    const made = fleet(2);
    const [one, two] = made.isolates;
    always(made, networkError());
    await trip(one);
    expect(await two.get()).toBe('network');
    expect(await two.get()).toBe('circuit-open');
    expect(seen(made)).toBe(6);
  });

  test('a circuit of a path is shared by isolates, and leaves other paths closed', async () => {
    const made = fleet(2);
    const [one, two] = made.isolates;
    always(made, () => status(503));
    await trip({ get: () => one.get(one.fetch, `${ORIGIN}/a`) });
    expect(await two.get(two.fetch, `${ORIGIN}/a`)).toBe(503);
    expect(await two.get(two.fetch, `${ORIGIN}/a`)).toBe('circuit-open');
    expect(await two.get(two.fetch, `${ORIGIN}/b`)).toBe(503);
  });

  test('isolates probe an open circuit one at a time, also those that learned of it later', async () => {
    const made = fleet(10);
    always(made, networkError());
    await trip(made.isolates[0]);
    const before = seen(made);
    for (let time = 0; time < 60_000; time += 500) {
      for (const isolate of made.isolates) await isolate.get();
      await made.clock.advance(500);
    }
    // One call for each of the others until they know; then a probe each 2 to 5 s, not ten.
    expect(seen(made) - before).toBeLessThan(10 + 60 / 2);
  });

  test('isolates send no further probe while a probe hangs', async () => {
    const made = fleet(10);
    always(made, networkError());
    await trip(made.isolates[0]);
    for (const isolate of made.isolates) await isolate.get();
    always(made, hang());
    const before = seen(made);
    for (let time = 0; time < 8_000; time += 500) {
      for (const isolate of made.isolates) void isolate.get();
      await made.clock.advance(500);
    }
    expect(seen(made) - before).toBeGreaterThan(0);
    expect(seen(made) - before).toBeLessThan(5);
  });

  test('an isolate that probes keeps its permit, though it has no other call', async () => {
    const made = fleet(2);
    const [one, two] = made.isolates;
    always(made, networkError());
    await trip(one);
    await trip(two);
    const { retryAt = 0 } = one.circuit.states()[ORIGIN] ?? {};
    await made.clock.advance(retryAt - made.clock.now() - 300);
    expect(await one.get()).toBe('circuit-open');
    await made.clock.advance(300);
    always(made, hang());
    const before = seen(made);
    void one.get();
    for (let time = 0; time < 5_500; time += 500) {
      await made.clock.advance(500);
      void two.get();
    }
    expect(seen(made) - before).toBe(1);
  });

  test('a circuit that closes in one isolate is closed in all within a second', async () => {
    const made = fleet(3);
    const [one, two, three] = made.isolates;
    always(made, networkError());
    await trip(one);
    for (const other of [two, three]) await trip(other);
    always(made, () => ok());
    await made.clock.advance(5_000);
    for (let nth = 0; nth < 2; nth++) expect(await one.get()).toBe(200);
    await made.clock.advance(1_000);
    for (const other of [two, three]) {
      await other.get();
      expect(await other.get()).toBe(200);
    }
  });

  test('a circuit stays open as long in isolates whose clocks are minutes apart', async () => {
    const made = fleet(3);
    const [one, , three] = made.isolates;
    always(made, networkError());
    await trip(one);
    await trip(three);
    const [first, second] = [one, three].map(({ circuit }, nth) => {
      const { retryAt = 0 } = circuit.states()[ORIGIN] ?? {};
      return retryAt - made.clock.now() - nth * 2 * 7 * 60_000;
    });
    expect(first).toBeLessThan(2_500);
    // By then the first isolate has probed, and the object has the result.
    expect((second as number) - (first as number)).toBeGreaterThanOrEqual(2_000 - 1);
    expect((second as number) - (first as number)).toBeLessThan(3_001);
  });

  test('an isolated circuit is isolated in its isolate alone, and no state of others changes that', async () => {
    const made = fleet(2);
    const [one, two] = made.isolates;
    await two.get();
    one.circuit.isolate(ORIGIN);
    await one.get();
    await made.clock.advance(1_000);
    expect(await two.get()).toBe(200);
    always(made, networkError());
    await trip(two);
    await one.get();
    always(made, () => ok());
    await made.clock.advance(5_000);
    for (let nth = 0; nth < 2; nth++) expect(await two.get()).toBe(200);
    await made.clock.advance(1_000);
    for (let nth = 0; nth < 2; nth++) expect(await one.get()).toBe('circuit-open');
    expect(one.circuit.states()[ORIGIN]?.state).toBe('isolated');
  });

  test('a client that is made later in the same isolate shares the circuit at once', async () => {
    const made = fleet(1);
    const [one] = made.isolates;
    always(made, networkError());
    await trip(one);
    expect(await one.get(one.client())).toBe('circuit-open');
    expect(made.reports.length).toBeLessThan(8);
  });

  test('an isolate reports its circuit again, with its next change, to an object that lost its memory', async () => {
    const made = fleet(2);
    const [one, two] = made.isolates;
    always(made, networkError());
    await trip(one);
    made.restart();
    // It probes, and opens again.
    for (let time = 0; time < 5_000; time += 500) {
      await made.clock.advance(500);
      await one.get();
    }
    expect(await two.get()).toBe('network');
    expect(await two.get()).toBe('circuit-open');
  });
});

describe('exchanges with the object', () => {
  test('an isolate with calls exchanges once a second, for any number of calls, and never between them', async () => {
    const made = fleet(1);
    const [one] = made.isolates;
    for (let call = 0; call < 200; call++) {
      await one.get();
      await made.clock.advance(50);
    }
    expect(made.reports.length).toBe(10);
    await made.clock.advance(60_000);
    expect(made.reports.length).toBe(10);
    expect(one.background.length).toBe(10);
  });

  test('an isolate starts no exchange before the object has responded to the last', async () => {
    const made = fleet(1, { noTimers: true });
    const [one] = made.isolates;
    let respond = (): void => {};
    const { does } = made.world;
    made.world.does = (report) =>
      new Promise((resolve) => {
        respond = () => resolve(does(report));
      });
    always(made, networkError());
    for (let call = 0; call < 50; call++) await one.get();
    expect(made.reports.length).toBe(1);
    made.world.does = does;
    respond();
    await quiet();
    // The isolate reports at once that the circuit has opened in between.
    expect(made.reports.length).toBe(2);
    expect(made.reports[1]?.states).toMatchObject([{ key: ORIGIN, is: 'open' }]);
  });

  test('an isolate exchanges again if its state changed before the object responded', async () => {
    const made = fleet(1, { noTimers: true });
    const [one] = made.isolates;
    always(made, networkError());
    for (let nth = 0; nth < 4; nth++) await one.get();
    const { does } = made.world;
    let respond = (): void => {};
    made.world.does = (report) =>
      new Promise((resolve) => {
        respond = () => resolve(does(report));
      });
    await trip(one);
    await one.get();
    one.circuit.reset(ORIGIN);
    made.world.does = does;
    respond();
    await quiet();
    expect(made.reports.flatMap(({ states }) => states.map(({ is }) => is))).toEqual(['open', 'closed']);
  });

  test('an isolate exchanges at most 200 circuits at once, and all of them in the end', async () => {
    const made = fleet(2, {
      noTimers: true,
      policies: (share) => [breaker({ share, openFor: '60s', maxWait: 0 })],
    });
    const [one, two] = made.isolates;
    always(made, networkError());
    const { does } = made.world;
    let respond = (): void => {};
    made.world.does = (report) =>
      new Promise((resolve) => {
        respond = () => resolve(does(report));
      });
    for (let nth = 0; nth < 450; nth++)
      for (let call = 0; call < 6; call++) await one.fetch(`https://${nth}.example.com/`).catch(() => {});
    made.world.does = does;
    respond();
    await quiet();
    expect(Math.max(...made.reports.map(({ states }) => states.length))).toBe(200);
    const sent = made.reports.flatMap(({ states }) => states.map(({ key }) => key));
    expect(new Set(sent).size).toBeGreaterThanOrEqual(450);
    for (let nth = 0; nth < 5; nth++) {
      await two.get();
      await made.clock.advance(1_000);
    }
    expect(Object.keys(two.circuit.states()).length).toBeGreaterThanOrEqual(450);
  });
});

const strange: [string, () => unknown][] = [
  [
    'throws that it is overloaded',
    () => Promise.reject(Object.assign(new Error('overloaded'), { overloaded: true })),
  ],
  [
    'throws at once',
    () => {
      throw new Error('no such object');
    },
  ],
  ['never responds', () => new Promise(() => {})],
  ['responds with nothing', () => undefined],
  ['responds with null', () => null],
  ['responds with a string', () => 'hello'],
  ['responds without states', () => ({ from: '', version: 1 })],
  ['responds with an invalid version', () => ({ from: '', version: Number.NaN, states: [] })],
];

describe.each(strange)('an object that %s', (_, does) => {
  test('a broken object delays no call, and is reported once', async () => {
    const made = fleet(1, {
      policies: (share) => [breaker({ share }), rateLimit({ rate: 1_000, share })],
    });
    const [one] = made.isolates;
    const well = made.world.does;
    made.world.does = does;
    for (let call = 0; call < 600; call++) {
      const since = made.clock.ticks();
      expect(await one.fetch(ORIGIN).then((response) => response.text())).toBe('ok');
      expect(made.clock.ticks()).toBe(since);
      await made.clock.advance(1_000);
    }
    expect(one.emitted('sharing-failed')).toMatchObject([{ name: 'default' }]);
    // Once a minute, in the end.
    expect(made.reports.length).toBeLessThan(30);
    made.world.does = well;
    await made.clock.advance(60_000);
    await one.get();
    await made.clock.advance(3_000);
    await one.get();
    expect(one.emitted('sharing-restored').length).toBe(1);
    expect(made.clock.pending).toBe(0);
  });
});

test('an isolate ignores invalid states, and uses the others', async () => {
  const made = fleet(1);
  const [one] = made.isolates;
  const shared = { is: 'open', left: 1_000, times: 1 };
  made.world.does = () => ({
    from: '',
    version: 9,
    states: [
      null,
      5,
      { ...shared, key: 7 },
      { ...shared, key: 'https://a.example', is: 'ajar' },
      { ...shared, key: 'https://b.example', left: -1 },
      { ...shared, key: 'https://c.example', left: Infinity },
      { ...shared, key: 'x'.repeat(5_000) },
      { ...shared, key: 'https://d.example/\ud800' },
      { ...shared, key: 'https://e.example', is: 'isolated' },
      { ...shared, key: 'https://long.example', left: 1e12 },
      { ...shared, key: 'https://good.example' },
    ],
  });
  await one.get();
  await one.get();
  const open = Object.entries(one.circuit.states()).filter(([, { state }]) => state === 'open');
  expect(open.map(([key]) => key).sort()).toEqual(['https://good.example', 'https://long.example']);
  // The object says nothing about how long it stays open here.
  for (const [, { retryAt = 0 }] of open) expect(retryAt - made.clock.now()).toBeLessThan(10_000);
});

test('an isolate exchanges again after the platform has ended the request of the last exchange', async () => {
  const made = fleet(1, { noTimers: true });
  const [one] = made.isolates;
  const { does } = made.world;
  made.world.does = () => new Promise(() => {});
  await one.get();
  await made.clock.advance(5_000);
  await one.get();
  expect(one.emitted('sharing-failed').length).toBe(1);
  made.world.does = does;
  await made.clock.advance(5_000);
  await one.get();
  expect(one.emitted('sharing-restored').length).toBe(1);
});

test('close() waits for no object that does not respond', async () => {
  const made = fleet(1);
  const [one] = made.isolates;
  made.world.does = () => new Promise(() => {});
  await one.fetch(ORIGIN);
  const since = made.clock.ticks();
  await one.fetch.close();
  expect(made.clock.ticks() - since).toBeLessThanOrEqual(2_000);
  expect(made.clock.pending).toBe(0);
});

describe('isolates without a binding', () => {
  test('isolates without a binding go by their own calls, and report that once', async () => {
    const events: HoldfastEvent[] = [];
    const clock = virtualClock({ quiet });
    const origin = scriptedOrigin(clock);
    const share = betweenIsolates(undefined);
    const fetch = pipeline([breaker({ share }), rateLimit({ rate: 5, share })], {
      host: { ...testHost({ clock }), canShareIO: false },
      fetch: origin.fetch,
      onEvent: (event) => events.push(event),
    });
    for (let call = 0; call < 100; call++) {
      expect((await fetch(ORIGIN)).status).toBe(200);
      await clock.advance(1_000);
    }
    expect(events.filter(({ type }) => type.startsWith('sharing'))).toMatchObject([
      { type: 'sharing-failed', error: { code: 'configuration' } },
    ]);
  });

  test.each([
    [[{}], /betweenIsolates\.binding: {} is not allowed; expected the binding of a Durable Object namespace/],
    [[null], /betweenIsolates\.binding: null/],
    [[undefined, { every: 0 }], /betweenIsolates\.every: 0 is not allowed/],
    [[undefined, { each: 1 }], /betweenIsolates\.each: 1 is not allowed; unknown option/],
    [[undefined, { name: 5 }], /betweenIsolates\.name: 5/],
  ])('an impossible option throws an error: %j', (given, message) => {
    expect(() => betweenIsolates(...(given as [never, never]))).toThrow(message);
  });
});

test('Retry-After that one isolate received holds for all', async () => {
  const made = fleet(2, { policies: (share) => [rateLimit({ maxWait: 0, share })] });
  const [one, two] = made.isolates;
  await two.get();
  await made.clock.advance(1_000);
  made.origin.replies(status(429, { 'retry-after': '30' }));
  expect(await one.get()).toBe(429);
  expect(await two.get()).toBe(200);
  expect(await two.get()).toBe('rate-limit');
  await made.clock.advance(29_000);
  expect(await two.get()).toBe('rate-limit');
  await made.clock.advance(2_100);
  expect(await two.get()).toBe(200);
});

test('the rate of a rateLimit stays each isolate’s own', async () => {
  const made = fleet(2, { policies: (share) => [rateLimit({ rate: 5, maxWait: 0, share })] });
  for (let nth = 0; nth < 5; nth++)
    for (const { get } of made.isolates.slice(0, 2)) expect(await get()).toBe(200);
  for (const { get } of made.isolates.slice(0, 2)) expect(await get()).toBe('rate-limit');
});

test('Retry-After of another isolate holds for no longer than maxRetryAfter', async () => {
  const made = fleet(1, { policies: (share) => [rateLimit({ maxWait: 0, maxRetryAfter: '5s', share })] });
  const [one] = made.isolates;
  made.world.does = () => ({
    from: '',
    version: 1,
    states: [{ key: ORIGIN, is: 'held', left: 1e12, times: 0 }],
  });
  await one.get();
  expect(await one.get()).toBe('rate-limit');
  await made.clock.advance(6_000);
  expect(await one.get()).toBe(200);
});
