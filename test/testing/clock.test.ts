import { expect, onTestFinished, test } from 'vitest';
import { virtualClock } from '../../src/testing.ts';

test('a task that throws is an uncaught error, and time goes on for the other timers', async () => {
  const thrown: unknown[] = [];
  const { queueMicrotask } = globalThis;
  onTestFinished(() => {
    globalThis.queueMicrotask = queueMicrotask;
  });
  globalThis.queueMicrotask = (task) => {
    try {
      task();
    } catch (error) {
      thrown.push(error);
    }
  };
  const clock = virtualClock();
  const failure = new Error('of the task');
  clock.after(1_000, () => {
    throw failure;
  });
  await new Promise<void>((done) => void clock.after(2_000, done));
  expect(thrown).toEqual([failure]);
  // It starts anew by itself, too.
  await new Promise<void>((done) => void clock.after(1_000, done));
  expect(clock.ticks()).toBe(3_000);
});

test.each([Number.NaN, -5, undefined as never])(
  'a wait of %s ms is over at once, as with setTimeout',
  async (ms) => {
    const clock = virtualClock();
    const fired: string[] = [];
    clock.after(10, () => void fired.push('later'));
    clock.after(ms, () => void fired.push('at once'));
    await clock.advance(10);
    expect(fired).toEqual(['at once', 'later']);
  },
);
