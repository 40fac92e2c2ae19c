import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Clock } from '../../src/primitives/clock.ts';

let now: number;
let timers: { readonly task: () => void; readonly ms: number; isKept: boolean }[];
let clock: Clock;

beforeEach(async () => {
  now = 0;
  timers = [];
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  vi.stubGlobal('setTimeout', (task: () => void, ms: number) => {
    const timer = { task, ms, isKept: true };
    timers.push(timer);
    const keep = (is: boolean) => () => {
      timer.isKept = is;
    };
    return { ref: keep(true), unref: keep(false) };
  });
  // The module knows the timers that are there when it is loaded.
  vi.resetModules();
  clock = (await import('../../src/primitives/clock.ts')).systemClock;
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

const fire = (nth: number): void => timers[nth]?.task();

test('10,000 limits of one length share one timer of the platform', () => {
  const ends = Array.from({ length: 10_000 }, () => clock.after(30_000, () => {}));
  expect(timers).toHaveLength(1);
  for (const end of ends) end();
  expect(timers).toMatchObject([{ ms: 30_000, isKept: false }]);
});

test('a shared timer keeps the process alive again for a new task', () => {
  clock.after(5000, () => {})();
  clock.after(5000, () => {});
  expect(timers).toMatchObject([{ isKept: true }]);
});

test('a task of a shared timer runs when it is due, and not with one that came before it', () => {
  const ran: string[] = [];
  clock.after(5000, () => ran.push('first'));
  now = 2000;
  clock.after(5000, () => ran.push('second'));
  clock.after(5000, () => ran.push('cancelled'))();
  now = 5000;
  fire(0);
  expect(ran).toEqual(['first']);
  expect(timers[1]).toMatchObject({ ms: 2000, isKept: true });
  now = 7000;
  fire(1);
  expect(ran).toEqual(['first', 'second']);
  expect(timers).toHaveLength(2);
});

test('a shared timer that fires early waits for the rest, and one that fires late runs all that is due', () => {
  const ran: string[] = [];
  clock.after(5000, () => ran.push('first'));
  now = 1000;
  fire(0);
  expect([ran, timers[1]?.ms]).toEqual([[], 4000]);
  clock.after(5000, () => ran.push('second'));
  now = 600_000;
  fire(1);
  expect(ran).toEqual(['first', 'second']);
});

test('timers that were replaced later are used one by one', () => {
  const used: number[] = [];
  vi.stubGlobal('setTimeout', (_: () => void, ms: number) => used.push(ms));
  clock.after(30_000, () => {});
  clock.after(30_000, () => {});
  expect(used).toEqual([30_000, 30_000]);
});

test('a task that another one of the same moment cancels does not run', () => {
  const ran: string[] = [];
  let cancel = (): void => {};
  clock.after(5000, () => {
    ran.push('first');
    cancel();
  });
  cancel = clock.after(5000, () => ran.push('cancelled'));
  now = 5000;
  fire(0);
  expect(ran).toEqual(['first']);
});

test('a task that throws keeps no other of the same moment from running', () => {
  const ran: string[] = [];
  clock.after(5000, () => {
    throw new Error('a bug');
  });
  clock.after(5000, () => ran.push('second'));
  now = 5000;
  expect(() => fire(0)).toThrow('a bug');
  fire(1);
  expect(ran).toEqual(['second']);
});
