import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { chance } from '../../tools/misbehaving-server/chance.ts';
import { type Isolates, startIsolates, startUpstream, type Upstream } from './isolates/start.ts';

const SEED = Number(process.env.HOLDFAST_SEED ?? 1);
const MANY = 10;
const ALL = Array.from({ length: MANY }, (_, isolate) => isolate);

let upstream: Upstream;
const running: Isolates[] = [];

beforeEach(async () => {
  upstream = await startUpstream();
});
afterEach(async () => {
  for (const isolates of running.splice(0)) await isolates.stop();
  await upstream.close();
});

async function start(options: Partial<Parameters<typeof startIsolates>[0]> = {}): Promise<Isolates> {
  const isolates = await startIsolates({ many: MANY, upstream: upstream.url, ...options });
  running.push(isolates);
  return isolates;
}

/** Calls of chance isolates, one each `pause` ms, whether or not the one before has been answered. */
async function traffic(
  isolates: Isolates,
  { calls, pause }: { calls: number; pause: number },
  answered: (answer: number | string, isolate: number) => void = () => {},
): Promise<void> {
  const answers: Promise<void>[] = [];
  for (let nth = 0; nth < calls; nth++) {
    const isolate = Math.floor(chance(SEED, 'isolate', nth) * MANY);
    answers.push(isolates.call(isolate).then((answer) => answered(answer, isolate)));
    await sleep(pause);
  }
  await Promise.all(answers);
}

/** Calls an isolate until its circuit is open. */
async function trip(isolates: Isolates, isolate: number): Promise<void> {
  while ((await isolates.call(isolate)) !== 'circuit-open');
}

/** The object gets to know of it behind the answers. */
const openSoon = (isolates: Isolates, isolate: number) =>
  expect.poll(() => isolates.call(isolate), { timeout: 60_000, interval: 300 }).toBe('circuit-open');

describe('the circuit', () => {
  /** Twelve seconds of an upstream that is dead from the beginning, 20 calls a second. */
  async function outage(shares: boolean) {
    upstream.status = 503;
    upstream.arrivals.length = 0;
    const isolates = await start({ shares });
    const failures = new Map<number, number>();
    let opened = Infinity;
    await traffic(isolates, { calls: 240, pause: 50 }, (answer, isolate) => {
      const before = failures.get(isolate) ?? 0;
      failures.set(isolate, before + 1);
      // By the failures in a row that open it.
      if (answer === 503 && before + 1 === 5) opened = Math.min(opened, performance.now());
    });
    const asked = shares ? await isolates.count() : 0;
    return { after: upstream.arrivals.filter((at) => at > opened).length, asked };
  }

  test('that one isolate has opened spares a dead upstream the calls of the others', async () => {
    const apart = await outage(false);
    const shared = await outage(true);
    console.log(
      `${MANY} isolates, dead upstream: ${apart.after} requests after the first circuit opened without sharing, ${shared.after} with; the object was asked ${shared.asked} times for 240 calls`,
    );
    expect(shared.after).toBeLessThan(apart.after / 2);
    // Once a second each, and what there is to tell.
    expect(shared.asked).toBeLessThan(MANY * 12 * 1.5);
  });

  test('is closed in all of them within 10 s of the upstream coming back', async () => {
    upstream.status = 503;
    const isolates = await start();
    await trip(isolates, 0);
    for (const isolate of ALL) await openSoon(isolates, isolate);
    upstream.status = 200;
    const since = performance.now();
    const well = new Map<number, number>();
    while (well.size < MANY) {
      for (const isolate of ALL)
        if ((await isolates.call(isolate)) === 200 && !well.has(isolate))
          well.set(isolate, performance.now() - since);
      await sleep(300);
    }
    const times = [...well.values()];
    console.log(
      `${MANY} isolates, upstream back: the first is well after ${Math.round(Math.min(...times))} ms, the last after ${Math.round(Math.max(...times))} ms`,
    );
    expect(Math.max(...times)).toBeLessThan(10_000);
  });

  test('is known to clients that are made for each request', async () => {
    upstream.status = 503;
    const isolates = await start({ many: 2, perRequest: [1] });
    await trip(isolates, 0);
    await openSoon(isolates, 1);
    expect(await isolates.call(1)).toBe('circuit-open');
  });

  test('is known again when the object has lost its memory', async () => {
    upstream.status = 503;
    const isolates = await start();
    await trip(isolates, 0);
    await openSoon(isolates, 1);
    await isolates.die();
    expect(await isolates.call(1)).toBe('circuit-open');
    // Once a second those who know of it ask the object, and tell it again; then who comes new hears of it with its first call,
    // and has not failed often enough to open a circuit of its own.
    const answers: unknown[] = [];
    for (const isolate of ALL.slice(2)) {
      await Promise.all([isolates.call(0), isolates.call(1), isolates.call(isolate)]);
      await sleep(500);
      answers.push(await isolates.call(isolate));
      if (answers.includes('circuit-open')) break;
    }
    expect(answers).toContain('circuit-open');
  });
});

test('Retry-After that one isolate was given holds for all', async () => {
  const isolates = await start({ many: 2 });
  upstream.status = 429;
  upstream.retryAfter = 30;
  expect(await isolates.call(0)).toBe(429);
  await expect.poll(() => isolates.call(1), { timeout: 60_000, interval: 300 }).toBe('rate-limit');
  expect(upstream.arrivals.length).toBeLessThan(4);
});

describe.each(['overloaded', 'garbage', 'silent'])('an object that is %s', (manner) => {
  test('is not noticed by any call, is emitted of once, and is heard again', async () => {
    const isolates = await start({ many: 3 });
    await isolates.behave(manner);
    const took: number[] = [];
    for (let nth = 0; nth < 40; nth++) {
      const since = performance.now();
      expect(await isolates.call(nth % 2)).toBe(200);
      took.push(performance.now() - since);
      await sleep(100);
    }
    const middle = took.sort((a, b) => a - b)[took.length / 2] as number;
    // It would not answer for longer than this.
    expect(middle).toBeLessThan(1_000);
    const failed = (await isolates.emitted(0)).filter((type) => type.startsWith('sharing'));
    expect(failed).toEqual(['sharing-failed']);
    await isolates.behave('well');
    upstream.status = 503;
    await trip(isolates, 0);
    await expect.poll(() => isolates.call(2), { timeout: 90_000, interval: 300 }).toBe('circuit-open');
    await expect
      .poll(
        async () => {
          await isolates.call(0);
          return isolates.emitted(0);
        },
        { timeout: 90_000, interval: 500 },
      )
      .toContain('sharing-restored');
  });
});
