import type { Clock } from '../../primitives/clock.ts';
import type { OnLimit, Run } from '../stage.ts';

/** A limit belongs to the level of the stage that set it. */
export interface Limit {
  readonly level: number;
  readonly ms: number;
  /** In ticks; `Infinity` once it has passed. */
  passesAt: number;
  readonly onLimit: OnLimit;
  readonly outer: Limit | undefined;
}

interface BoundedRun extends Run {
  /** Ends the run down to a level. */
  abort(error: unknown, level: number): void;
}

/** The limits of one run, the innermost first, and the one alarm for the earliest of them. */
export class Limits {
  readonly #run: BoundedRun;
  readonly #clock: Clock;
  innermost: Limit | undefined;
  #cancelAlarm: (() => void) | undefined;
  #alarmAt = Infinity;

  constructor(run: BoundedRun) {
    this.#run = run;
    this.#clock = run.call.host.clock;
  }

  add(level: number, ms: number, onLimit: OnLimit, now: number): void {
    this.innermost = { level, ms, passesAt: now + ms, onLimit, outer: this.innermost };
  }

  /** Drops those of a stage that is left, and of the stages inside it. */
  leave(level: number): void {
    for (; this.innermost && this.innermost.level >= level; this.innermost = this.innermost.outer)
      if (this.innermost.passesAt === this.#alarmAt) this.disarm();
  }

  cancel(): void {
    this.disarm();
    this.innermost = undefined;
  }

  disarm(): void {
    this.#cancelAlarm?.();
    this.#alarmAt = Infinity;
  }

  /** Called when the run begins to wait. */
  arm(now = this.#clock.ticks()): void {
    let next: Limit | undefined;
    for (let limit = this.innermost; limit; limit = limit.outer)
      if (limit.passesAt < (next?.passesAt ?? this.#alarmAt)) next = limit;
    if (!next) return;
    const { passesAt, ms } = next;
    const left = Math.max(0, passesAt - now);
    this.#cancelAlarm?.();
    this.#alarmAt = passesAt;
    // Limits of one length share a timer of the platform.
    this.#cancelAlarm = this.#clock.after(ms - left < 1 ? ms : left, () => this.#ring());
  }

  #ring(): void {
    this.#alarmAt = Infinity;
    const now = this.#clock.ticks();
    let passed: Limit | undefined;
    // Timers may fire a fraction of a millisecond early. Of limits that passed together, the outermost counts.
    for (let limit = this.innermost; limit; limit = limit.outer) if (limit.passesAt - now < 1) passed = limit;
    if (passed) {
      passed.passesAt = Infinity;
      let error: unknown;
      try {
        error = passed.onLimit(this.#run, passed.ms);
      } catch (thrown) {
        error = thrown;
      }
      if (error !== undefined) this.#run.abort(error, passed.level);
    }
    this.arm();
  }
}
