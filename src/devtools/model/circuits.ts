import type { HoldfastEvent } from '../../core/events.ts';

export interface CircuitTransition {
  readonly at: number;
  readonly to: string;
}

export interface CircuitRecord {
  /** An origin, or the URL of a path. */
  readonly origin: string;
  state: string;
  readonly changes: CircuitTransition[];
  /** What opened it last. */
  opened?: {
    readonly at: number;
    readonly failures?: number | undefined;
    readonly lastFailure?: string | undefined;
    /** The attempts that failed before. */
    readonly failed: readonly string[];
  };
}

const MOST_CHANGES = 50;
const MOST_FAILURES = 5;
const MOST_ORIGINS = 200;

export class CircuitHistory {
  readonly records = new Map<string, CircuitRecord>();
  /** The last failed attempts of each origin. */
  readonly #failures = new Map<string, string[]>();

  receive(event: Extract<HoldfastEvent, { type: 'circuit' }>, now: number): void {
    const { origin, to, failures, lastFailure } = event;
    const record = this.records.get(origin) ?? { origin, state: to, changes: [] };
    record.state = to;
    record.changes.push({ at: now, to });
    if (record.changes.length > MOST_CHANGES) record.changes.shift();
    if (to === 'open')
      record.opened = {
        at: now,
        failures,
        lastFailure,
        failed: [...(this.#failures.get(originOf(origin)) ?? [])],
      };
    put(this.records, origin, record);
  }

  failed(origin: string, attempt: string): void {
    const last = this.#failures.get(origin) ?? [];
    last.push(attempt);
    if (last.length > MOST_FAILURES) last.shift();
    put(this.#failures, origin, last);
  }
}

const originOf = (circuit: string): string => (URL.canParse(circuit) ? new URL(circuit).origin : circuit);

/** The oldest one makes room. */
export function put<T>(map: Map<string, T>, key: string, value: T, most = MOST_ORIGINS): void {
  map.set(key, value);
  if (map.size > most) map.delete(map.keys().next().value as string);
}
