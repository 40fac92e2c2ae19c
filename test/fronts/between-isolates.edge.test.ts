import { describe, expect, test } from 'vitest';
import { type BetweenIsolatesOptions, betweenIsolates, type IsolateSharing } from '../../src/cloudflare.ts';
import type { Clock, Policy } from '../../src/core/contract.ts';
import type { HoldfastEvent } from '../../src/core/events.ts';
import { pipeline } from '../../src/core/pipeline.ts';
import { Coordinator } from '../../src/fronts/cloudflare/coordinator.ts';
import type { Report } from '../../src/fronts/cloudflare/sharing-words.ts';
import { type Breaker, breaker } from '../../src/policies/breaker/breaker.ts';
import { rateLimit } from '../../src/policies/rate-limit.ts';
import { retry } from '../../src/policies/retry/retry.ts';
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
} from '../../src/testing/index.ts';
import { quiet } from '../support/platform.ts';
import { ORIGIN } from '../support/scenario.ts';

/** Clocks of isolates are minutes apart. */
const shifted = (clock: Clock, by: number): Clock => ({
  now: () => clock.now() + by,
  ticks: () => clock.ticks() + by,
  after: clock.after,
});

interface FleetOptions extends BetweenIsolatesOptions {
  readonly policies?: (share: IsolateSharing, nth: number) => Policy[];
  /** Requests are ended by the platform: their timers never fire. */
  readonly noTimers?: boolean;
}

/** Isolates around one origin and one object, in virtual time. */
function fleet(many: number, { policies, noTimers = false, ...options }: FleetOptions = {}) {
  const clock = virtualClock({ quiet });
  const origin = scriptedOrigin(clock);
  let lives = 0;
  let object = new Coordinator(`life ${++lives}`);
  const reports: Report[] = [];
  const replies: unknown[] = [];
  /** What the object does: by default its work. */
  const world = { does: (report: Report): unknown => object.exchange(report, clock.ticks()) };
  const isolate = (nth: number) => {
    const events: HoldfastEvent[] = [];
    const background: Promise<unknown>[] = [];
    const circuits: Breaker[] = [];
    const binding = {
      getByName: () => ({
        async exchange(report: Report): Promise<unknown> {
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
          sharesIO: false,
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
      told: (type: string) => events.filter((event) => event.type === type),
      /** A call, and what comes of it behind the answer. */
      async get(through = fetch, url: string = ORIGIN): Promise<number | string> {
        const answer = await through(url).then(
          async (response) => {
            await response.text();
            return response.status;
          },
          (error) => error.code ?? error,
        );
        await quiet();
        return answer;
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
      object = new Coordinator(`life ${++lives}`);
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
  test('that one has opened is open for the next at its second call', async () => {
    const made = fleet(2);
    const [one, two] = made.isolates;
    always(made, networkError());
    await trip(one);
    expect(await two.get()).toBe('network');
    expect(await two.get()).toBe('circuit-open');
    expect(seen(made)).toBe(6);
  });

  test('of a path that one has opened is open for the next, and those of other paths are not', async () => {
    const made = fleet(2);
    const [one, two] = made.isolates;
    always(made, () => status(503));
    await trip({ get: () => one.get(one.fetch, `${ORIGIN}/a`) });
    expect(await two.get(two.fetch, `${ORIGIN}/a`)).toBe(503);
    expect(await two.get(two.fetch, `${ORIGIN}/a`)).toBe('circuit-open');
    expect(await two.get(two.fetch, `${ORIGIN}/b`)).toBe(503);
  });

  test('is asked about when a call fails, without waiting for the next time', async () => {
    const made = fleet(2);
    const [one, two] = made.isolates;
    await two.get();
    always(made, networkError());
    await trip(one);
    await made.clock.advance(150);
    expect(await two.get()).toBe('network');
    expect(await two.get()).toBe('circuit-open');
  });

  test('is probed by one at a time, and by those who only heard of it later', async () => {
    const made = fleet(10);
    always(made, networkError());
    await trip(made.isolates[0]);
    const before = seen(made);
    for (let time = 0; time < 60_000; time += 500) {
      for (const isolate of made.isolates) await isolate.get();
      await made.clock.advance(500);
    }
    // One for each of the others until they heard; then a probe each 2 to 5 s, not ten.
    expect(seen(made) - before).toBeLessThan(10 + 60 / 2);
  });

  test('is not probed by all of them while a probe hangs', async () => {
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

  test('that one probes is left to it, though it has no other call', async () => {
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

  test('that has closed for one is closed for all, within a second', async () => {
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

  test('stays open as long by clocks that are minutes apart', async () => {
    const made = fleet(3);
    const [one, , three] = made.isolates;
    always(made, networkError());
    await trip(one);
    await trip(three);
    const [first, heard] = [one, three].map(({ circuit }, nth) => {
      const { retryAt = 0 } = circuit.states()[ORIGIN] ?? {};
      return retryAt - made.clock.now() - nth * 2 * 7 * 60_000;
    });
    expect(first).toBeLessThan(2_500);
    // By then the one who opened it has probed, and it is known.
    expect((heard as number) - (first as number)).toBeGreaterThanOrEqual(2_000 - 1);
    expect((heard as number) - (first as number)).toBeLessThan(3_001);
  });

  test.each(['before', 'after'])(
    'that somebody isolates or resets %s its first call is so for all',
    async (when) => {
      const made = fleet(3);
      const [one, two] = made.isolates;
      if (when === 'after') await one.get();
      await two.get();
      one.circuit.isolate(ORIGIN);
      await one.get();
      await made.clock.advance(1_000);
      await two.get();
      expect(await two.get()).toBe('circuit-open');
      one.circuit.reset(ORIGIN);
      await one.get();
      // Somebody who comes new has heard of nothing.
      expect(Object.keys(made.isolates[2].circuit.states())).toEqual([]);
      await made.clock.advance(1_000);
      await two.get();
      expect(await two.get()).toBe(200);
    },
  );

  test('is known at once to a client that is made later in the same isolate', async () => {
    const made = fleet(1);
    const [one] = made.isolates;
    always(made, networkError());
    await trip(one);
    expect(await one.get(one.client())).toBe('circuit-open');
    expect(made.reports.length).toBeLessThan(8);
  });

  test('is told again to an object that has lost its memory, and by it to who comes new', async () => {
    const made = fleet(2);
    const [one, two] = made.isolates;
    always(made, networkError());
    await trip(one);
    made.restart();
    await made.clock.advance(1_000);
    await one.get();
    expect(await two.get()).toBe('network');
    expect(await two.get()).toBe('circuit-open');
    expect(await one.get()).toBe('circuit-open');
  });
});

describe('the object is asked', () => {
  test('once a second by an isolate that has calls, whatever their number, and not between them', async () => {
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

  test('not again before it has answered', async () => {
    const made = fleet(1, { noTimers: true });
    const [one] = made.isolates;
    let answer = (): void => {};
    const { does } = made.world;
    made.world.does = (report) =>
      new Promise((resolve) => {
        answer = () => resolve(does(report));
      });
    always(made, networkError());
    for (let call = 0; call < 50; call++) await one.get();
    expect(made.reports.length).toBe(1);
    made.world.does = does;
    answer();
    await quiet();
    // That the circuit has opened meanwhile is told at once.
    expect(made.reports.length).toBe(2);
    expect(made.reports[1]?.circuits).toMatchObject([{ key: ORIGIN, is: 'open' }]);
  });

  test('again, where what it was told has changed before it answered', async () => {
    const made = fleet(1, { noTimers: true });
    const [one] = made.isolates;
    await one.get();
    const { does } = made.world;
    let answer = (): void => {};
    made.world.does = (report) =>
      new Promise((resolve) => {
        answer = () => resolve(does(report));
      });
    one.circuit.isolate(ORIGIN);
    await one.get();
    one.circuit.reset(ORIGIN);
    made.world.does = does;
    answer();
    await quiet();
    const told = made.reports.flatMap(({ circuits }) => circuits.map(({ is, seen }) => ({ is, seen })));
    expect(told).toEqual([
      { is: 'isolated', seen: 0 },
      { is: 'closed', seen: 1 },
    ]);
  });

  test('for no more than 200 circuits at once, and for all of them in the end', async () => {
    const made = fleet(2);
    const [one, two] = made.isolates;
    always(made, () => status(503));
    await one.get();
    for (let nth = 0; nth < 450; nth++) one.circuit.isolate(`https://${nth}.example.com`);
    await one.get();
    expect(Math.max(...made.reports.map(({ circuits }) => circuits.length))).toBe(200);
    for (let nth = 0; nth < 4; nth++) {
      await two.get();
      await made.clock.advance(1_000);
    }
    await two.get();
    expect(Object.values(two.circuit.states()).filter(({ state }) => state === 'isolated').length).toBe(450);
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
  ['never answers', () => new Promise(() => {})],
  ['answers nothing', () => undefined],
  ['answers null', () => null],
  ['answers something else', () => 'hello'],
  ['answers without a life', () => ({ version: 1, circuits: [], rates: [], budgets: [] })],
  ['answers with a version that is none', () => ({ life: 'a', version: Number.NaN })],
];

describe.each(strange)('an object that %s', (_, does) => {
  test('is not noticed by any call, and is told of once', async () => {
    const made = fleet(1, {
      policies: (share) => [retry({ share }), breaker({ share }), rateLimit({ rate: 1_000, share })],
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
    expect(one.told('sharing-failed')).toMatchObject([{ name: 'default' }]);
    // Once a minute, at last.
    expect(made.reports.length).toBeLessThan(30);
    made.world.does = well;
    await made.clock.advance(60_000);
    await one.get();
    await made.clock.advance(3_000);
    await one.get();
    expect(one.told('sharing-restored').length).toBe(1);
    expect(made.clock.pending).toBe(0);
  });
});

test('words that make no sense are left out, and the others are heard', async () => {
  const made = fleet(1);
  const [one] = made.isolates;
  const word = { is: 'open', left: 1_000, times: 1, version: 1, by: 'another' };
  made.world.does = () => ({
    life: 'a',
    version: 9,
    circuits: [
      null,
      5,
      { ...word, key: 7 },
      { ...word, key: 'https://a.example', is: 'ajar' },
      { ...word, key: 'https://b.example', left: -1 },
      { ...word, key: 'https://c.example', left: Infinity },
      { ...word, key: 'x'.repeat(5_000) },
      { ...word, key: 'https://long.example', left: 1e12 },
      { ...word, key: 'https://good.example' },
    ],
    rates: 'none',
    budgets: [{ key: 'https://nobody.example', spent: 10 }],
  });
  await one.get();
  await one.get();
  const open = Object.entries(one.circuit.states()).filter(([, { state }]) => state === 'open');
  expect(open.map(([key]) => key).sort()).toEqual(['https://good.example', 'https://long.example']);
  // Nobody says how long it stays open here.
  for (const [, { retryAt = 0 }] of open) expect(retryAt - made.clock.now()).toBeLessThan(10_000);
});

test('where the platform has ended the request that asked, another one asks', async () => {
  const made = fleet(1, { noTimers: true });
  const [one] = made.isolates;
  const { does } = made.world;
  made.world.does = () => new Promise(() => {});
  await one.get();
  await made.clock.advance(5_000);
  await one.get();
  expect(one.told('sharing-failed').length).toBe(1);
  made.world.does = does;
  await made.clock.advance(5_000);
  await one.get();
  expect(one.told('sharing-restored').length).toBe(1);
});

test('close() waits for no object that does not answer', async () => {
  const made = fleet(1);
  const [one] = made.isolates;
  made.world.does = () => new Promise(() => {});
  await one.fetch(ORIGIN);
  const since = made.clock.ticks();
  await one.fetch.close();
  expect(made.clock.ticks() - since).toBeLessThanOrEqual(2_000);
  expect(made.clock.pending).toBe(0);
});

describe('without a binding', () => {
  test('each goes by what it sees for itself, which is told once', async () => {
    const events: HoldfastEvent[] = [];
    const clock = virtualClock({ quiet });
    const origin = scriptedOrigin(clock);
    const share = betweenIsolates(undefined);
    const fetch = pipeline([retry({ share }), breaker({ share }), rateLimit({ rate: 5, share })], {
      host: { ...testHost({ clock }), sharesIO: false },
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
  ])('what cannot be meant is refused: %j', (given, message) => {
    expect(() => betweenIsolates(...(given as [never, never]))).toThrow(message);
  });
});

describe('a rate between isolates', () => {
  const limited = (share: IsolateSharing): Policy[] => [rateLimit({ rate: 10, burst: 5, maxWait: 0, share })];

  /** Calls a second of each isolate, for a time. @returns requests a second, without the first two. */
  async function load(made: ReturnType<typeof fleet>, seconds: number, ...calls: number[]): Promise<number> {
    const from = made.clock.ticks();
    const until = from + seconds * 1_000;
    for (let time = 0; time < seconds * 1_000; time += 50) {
      for (const [nth, each] of calls.entries()) {
        const due = Math.floor(((time + 50) * each) / 1_000) - Math.floor((time * each) / 1_000);
        for (let call = 0; call < due; call++) await made.isolates[nth]?.get();
      }
      await made.clock.advance(50);
    }
    const counted = made.origin.seen.filter(({ at }) => at >= from + 2_000 && at < until);
    return counted.length / (seconds - 2);
  }

  test('is that of all together, and is used', async () => {
    const apart = fleet(10, { policies: () => [rateLimit({ rate: 10, burst: 5, maxWait: 0 })] });
    const shared = fleet(10, { policies: limited });
    const each = Array<number>(10).fill(5);
    expect(await load(apart, 10, ...each)).toBeGreaterThan(40);
    const rate = await load(shared, 20, ...each);
    expect(rate).toBeGreaterThan(8);
    expect(rate).toBeLessThan(11.5);
  });

  test('is given to who wants it', async () => {
    const made = fleet(3, { policies: limited });
    // Two want little and get it; the third has the rest.
    await load(made, 10, 1, 1, 20);
    const before = made.origin.seen.length;
    const rate = await load(made, 10, 1, 1, 20);
    expect(made.origin.seen.length).toBeGreaterThan(before);
    expect(rate).toBeGreaterThan(8);
    expect(rate).toBeLessThan(11.5);
    // They go; their part comes back.
    expect(await load(made, 10, 0, 0, 20)).toBeGreaterThan(9);
  });

  test('is no more at once than one burst, whoever begins', async () => {
    const made = fleet(2, { policies: limited });
    await load(made, 6, 2, 2);
    await made.clock.advance(1_200);
    const before = seen(made);
    for (let call = 0; call < 10; call++) for (const nth of [0, 1] as const) await made.isolates[nth].get();
    // Of five, half for each, and nobody has half a call.
    expect(seen(made) - before).toBe(4);
  });

  test('is each isolate’s own again when nobody has answered for 10 s', async () => {
    const made = fleet(2, { policies: limited });
    await load(made, 6, 20, 20);
    made.world.does = () => Promise.reject(new Error('down'));
    expect(await load(made, 8, 20, 20)).toBeLessThan(12);
    await load(made, 6, 20, 20);
    expect(await load(made, 8, 20, 20)).toBeGreaterThan(17);
  });

  test('what an origin asks of one it asks of all', async () => {
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
});

describe('a retry budget between isolates', () => {
  const retrying = (share: IsolateSharing): Policy[] => [
    retry({ share, limit: 1, delay: () => 10, jitter: 'none', budget: 5 }),
  ];

  /** Two isolates whose last success is too old to be evidence. */
  const fleetOfTwo = async () => {
    const made = fleet(2, { policies: retrying });
    for (const isolate of made.isolates) await isolate.get();
    await made.clock.advance(10_000);
    return made;
  };

  test('that one has spent is spent for all, and what one gives back all have', async () => {
    const made = await fleetOfTwo();
    const [one, two] = made.isolates;
    always(made, () => status(503));
    const first = seen(made);
    for (let call = 0; call < 6; call++) await one.get();
    expect(seen(made) - first).toBe(6 + 5);
    await made.clock.advance(1_000);
    await one.get();
    await two.get();
    const before = seen(made);
    await two.get();
    expect(seen(made)).toBe(before + 1);
    // A success gives all of it back.
    always(made, () => ok());
    await two.get();
    await made.clock.advance(1_000);
    await two.get();
    always(made, () => status(503));
    const spent = seen(made);
    // The object answers before the first attempt of the other isolate fails.
    await one.get();
    expect(seen(made) - spent).toBe(1 + 1);
  });

  test('that is spent while the object is asked is told it with the next report', async () => {
    const made = fleet(1, { policies: retrying });
    const [one] = made.isolates;
    const { does } = made.world;
    made.world.does = (report) =>
      new Promise((resolve) => {
        made.clock.after(20, () => resolve(does(report)));
      });
    made.origin.replies(status(503), status(503));
    expect(await one.get()).toBe(503);
    await made.clock.advance(1_000);
    await one.get();
    await made.clock.advance(1_000);
    expect(made.reports[0]?.budgets).toMatchObject([{ delta: 0, spent: 0 }]);
    expect(made.reports[1]?.budgets).toMatchObject([{ delta: 1, spent: 1 }]);
  });

  test('is not full again because the object has lost its memory', async () => {
    const made = await fleetOfTwo();
    const [one, two] = made.isolates;
    always(made, () => status(503));
    for (let call = 0; call < 6; call++) await one.get();
    await made.clock.advance(1_000);
    await one.get();
    made.restart();
    await made.clock.advance(1_000);
    await one.get();
    await two.get();
    await made.clock.advance(1_000);
    await two.get();
    const before = seen(made);
    await two.get();
    await one.get();
    expect(seen(made)).toBe(before + 2);
  });

  test('without an end is nobody’s to share', async () => {
    const made = fleet(1, { policies: (share) => [retry({ share, budget: false })] });
    await made.isolates[0].get();
    expect(made.reports).toMatchObject([{ budgets: [] }]);
  });
});
