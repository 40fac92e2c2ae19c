import type { Clock } from '../core/contract.ts';
import { earlier, type Timer, Timers } from './timers.ts';

/** A clock on which hours pass in an instant, in the order in which things would happen. */
export interface VirtualClock extends Clock {
  /** Foreground waits that ran to their end, in ms, in order. Waits that were cancelled are not among them. */
  readonly slept: number[];
  /** Timers that have neither fired nor been cancelled. */
  readonly pending: number;
  /** Holds the time while this work goes on: stores and real I/O need real time. */
  busy<T>(work: Promise<T>): Promise<T>;
  /** Lets time pass, with everything that is due in it, background timers too. */
  advance(ms: number): Promise<void>;
  /** Sets the wall clock, as an administrator or a time server does; durations are not affected. */
  jump(ms: number): void;
}

/**
 * Goes on to the next timer by itself whenever nothing is busy and one macrotask has passed; background timers alone do
 * not make it go on.
 *
 * @param options.start Wall time in ms at the beginning. Default 2026-01-01.
 * @param options.quiet Settles when everything that is ready has happened. Default: one macrotask.
 *
 * @example
 * const clock = virtualClock();
 * clock.after(60_000, () => log('a minute is over'));
 * await clock.advance(60_000);
 */
export function virtualClock({
  start = Date.UTC(2026, 0, 1),
  quiet = macrotask,
}: {
  start?: number;
  quiet?: () => Promise<void>;
} = {}): VirtualClock {
  const foreground = new Timers();
  const background = new Timers();
  let pending = 0;
  let made = 0;
  const slept: number[] = [];
  let ticks = 0;
  let wall = start;
  let busy = 0;
  let pumping = false;

  /** Of all, background timers too. */
  const next = (): Timer | undefined => {
    const [one, other] = [foreground.first(), background.first()];
    return earlier(one, other) ? one : other;
  };

  const end = (timer: Timer): void => {
    if (!timer.over) pending--;
    timer.over = true;
  };

  const pass = (to: number): void => {
    wall += Math.max(0, to - ticks);
    ticks = Math.max(to, ticks);
  };

  const fire = (timer: Timer): void => {
    if (foreground.first() === timer) slept.push(timer.ms);
    end(timer);
    pass(timer.at);
    timer.task();
  };

  const rest = async (): Promise<void> => {
    do await quiet();
    while (busy > 0);
  };

  const pump = async (): Promise<void> => {
    for (;;) {
      await rest();
      if (!foreground.first()) break;
      // Everything that is due until then, background timers too, in order.
      try {
        fire(next() as Timer);
      } catch (error) {
        // As with the platform's timers: an uncaught error, and the other timers go on.
        queueMicrotask(() => {
          throw error;
        });
      }
    }
    pumping = false;
  };

  return {
    slept,
    get pending() {
      return pending;
    },
    now: () => wall,
    ticks: () => ticks,
    after(ms, task, { background: inBackground = false } = {}) {
      if (ms === Infinity) return () => {};
      const timer: Timer = { at: ticks + Math.max(0, ms || 0), ms, task, order: made++, over: false };
      (inBackground ? background : foreground).add(timer);
      pending++;
      if (!pumping && !inBackground) {
        pumping = true;
        void pump();
      }
      return () => end(timer);
    },
    async busy(work) {
      busy++;
      try {
        return await work;
      } finally {
        busy--;
      }
    },
    async advance(ms) {
      const until = ticks + ms;
      for (;;) {
        await rest();
        const timer = next();
        if (!timer || timer.at > until) break;
        fire(timer);
      }
      pass(until);
    },
    jump(ms) {
      wall += ms;
    },
  };
}

/**
 * Lets everything that is ready happen first.
 *
 * @example
 * const clock = virtualClock({ quiet: macrotask });
 */
export function macrotask(): Promise<void> {
  const { setImmediate } = globalThis as { setImmediate?: (task: () => void) => void };
  return new Promise((done) => (setImmediate ? setImmediate(done) : setTimeout(done, 0)));
}
