import { expect, test } from 'vitest';
import { type Clock, DeadlineError, withDeadline } from '../../src/primitives/clock.ts';

/** A clock with one timer, which fires when the test says so. */
function manualClock() {
  let now = 0;
  let task: (() => void) | undefined;
  const clock: Clock = {
    now: () => now,
    ticks: () => now,
    after(_, next) {
      task = next;
      return () => {
        task = undefined;
      };
    },
  };
  const fireAt = (ms: number): void => {
    now = ms;
    const due = task;
    task = undefined;
    due?.();
  };
  return { host: { clock }, fireAt, isArmed: () => task !== undefined };
}

test('work that does not end in time is a DeadlineError', async () => {
  const { host, fireAt } = manualClock();
  const result = withDeadline(2_000, { host }, new Promise(() => {}));
  fireAt(2_300);
  await expect(result).rejects.toThrow(DeadlineError);
});

test('a short deadline ends although timers of a platform are a little late', async () => {
  const { host, fireAt } = manualClock();
  const result = withDeadline(1, { host }, new Promise(() => {}));
  fireAt(16);
  await expect(result).rejects.toThrow(DeadlineError);
});

test('a page that was frozen gives its work the same time again', async () => {
  const { host, fireAt, isArmed } = manualClock();
  const work = Promise.withResolvers<string>();
  const result = withDeadline(2_000, { host }, work.promise);
  fireAt(600_000);
  work.resolve('stored');
  expect(await result).toBe('stored');
  expect(isArmed()).toBe(false);
});

test('a page that was frozen for as long as the deadline gives its work the same time again', async () => {
  const { host, fireAt } = manualClock();
  const work = Promise.withResolvers<string>();
  const result = withDeadline(10_000, { host }, work.promise);
  fireAt(20_100);
  work.resolve('stored');
  expect(await result).toBe('stored');
});

test('work that does not end after a freeze either is a DeadlineError, in a hidden page with late timers, too', async () => {
  const { host, fireAt } = manualClock();
  const result = withDeadline(2_000, { host }, new Promise(() => {}));
  fireAt(60_000);
  fireAt(120_000);
  await expect(result).rejects.toThrow('no result in 2000 ms');
});
