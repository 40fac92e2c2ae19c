import type { HoldfastEvent } from '../../core/events.ts';
import type { Source } from '../../core/outcome.ts';
import type { Category } from '../../primitives/failure.ts';
import { categoryOfCall, severityOf } from '../log/severity.ts';
import { Histogram, type Quantiles } from './histogram.ts';

export type CallEnded = Extract<HoldfastEvent, { type: 'call-ended' }>;

/** Calls of one origin, of one operation, or all of them. */
export interface SeriesSnapshot {
  readonly calls: number;
  /** Those that failed unexpectedly: network, time-outs, 5xx, 429, refusals. */
  readonly errors: number;
  /** By the source of the response; `error`: there was none. */
  readonly outcomes: Readonly<Partial<Record<Source | 'error', number>>>;
  readonly categories: Readonly<Partial<Record<Category, number>>>;
  /** Requests on the wire beyond the first of each call. */
  readonly resent: number;
  /** Bytes of bodies, as far as they are known. */
  readonly sent: number;
  readonly received: number;
  /** Milliseconds to the response or to the failure. */
  readonly latency: Quantiles;
}

export class Series {
  readonly latency = new Histogram();
  readonly #outcomes: Partial<Record<Source | 'error', number>> = {};
  readonly #categories: Partial<Record<Category, number>> = {};
  #calls = 0;
  #errors = 0;
  #resent = 0;
  #sent = 0;
  #received = 0;

  add(call: CallEnded): void {
    const category = categoryOfCall(call);
    const outcome = call.error === undefined ? (call.source ?? 'network') : 'error';
    this.#calls++;
    if (isError(call)) this.#errors++;
    this.#outcomes[outcome] = (this.#outcomes[outcome] ?? 0) + 1;
    if (category) this.#categories[category] = (this.#categories[category] ?? 0) + 1;
    this.#resent += Math.max(0, call.attempts.length - 1);
    this.#sent += call.sent ?? 0;
    this.#received += call.received ?? 0;
    this.latency.add(call.duration);
  }

  snapshot(): SeriesSnapshot {
    return {
      calls: this.#calls,
      errors: this.#errors,
      outcomes: { ...this.#outcomes },
      categories: { ...this.#categories },
      resent: this.#resent,
      sent: this.#sent,
      received: this.#received,
      latency: this.latency.quantiles(),
    };
  }
}

/** Whether a call failed in a way that says something of the service. */
export const isError = (call: CallEnded): boolean => severityOf(call) !== 'expected';

/** The series of all names without one of their own. */
const OTHERS = '(others)';

/** Series by name, no more than so many: names may come from users. */
export class SeriesByName {
  readonly #most: number;
  readonly #series = new Map<string, Series>();

  constructor(most: number) {
    this.#most = most;
  }

  of(name: string): Series {
    const known = this.#series.get(name);
    if (known) return known;
    if (this.#series.size >= this.#most && name !== OTHERS) return this.of(OTHERS);
    const made = new Series();
    this.#series.set(name, made);
    return made;
  }

  snapshot(): Record<string, SeriesSnapshot> {
    return Object.fromEntries([...this.#series].map(([name, series]) => [name, series.snapshot()]));
  }
}
