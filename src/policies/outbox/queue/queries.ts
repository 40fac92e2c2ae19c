import {
  abortSignal,
  integer,
  ofType,
  oneOf,
  type Rule,
  readOptions,
  wellFormedString,
} from '../../../primitives/validate.ts';
import type { OutboxEntry } from './entry.ts';

/** A page of entries. */
export interface EntriesQuery {
  /** Default `'waiting'`. */
  readonly state?: OutboxEntry['state'] | undefined;
  readonly lane?: string | undefined;
  /** The `key` of the last entry of the page before. */
  readonly after?: string | undefined;
  /** Default 50. */
  readonly limit?: number | undefined;
}

export interface ReplayOptions {
  /** `'same'` (default): the origin may know the key; `'new'`: it handles the write as a new one. */
  readonly key?: 'same' | 'new' | undefined;
}

export interface FlushOptions {
  /** Only entries that are due; the others go on waiting. Default false: all are sent now. */
  readonly due?: boolean | undefined;
  /** Starts no more attempts once it aborts. */
  readonly signal?: AbortSignal | undefined;
  /** Called after each entry that has ended. */
  readonly onProgress?: ((progress: FlushProgress) => void) | undefined;
}

/** Counts of the entries that waited when the flush began. */
export interface FlushProgress {
  readonly total: number;
  readonly delivered: number;
  readonly deadLetters: number;
  /** Entries that still wait. */
  readonly left: number;
}

/** Selects a lane. */
export interface LaneQuery {
  /** Default: all lanes of the current user. */
  readonly lane?: string | undefined;
}

export interface ClearOptions {
  /** Default: the current user's. */
  readonly partition?: string | undefined;
}

/** @param rules By option; none is required. */
const reader =
  <T extends object>(owner: string, rules: { [K in keyof T]-?: Rule<T[K]> }) =>
  (given: T): T =>
    readOptions<T>(owner, given, rules, {} as T);

export const readQuery = reader<EntriesQuery>('entries', {
  state: oneOf('waiting', 'dead-letter'),
  lane: wellFormedString,
  after: ofType<string>('string'),
  limit: integer(1),
});
export const readLaneQuery = reader<LaneQuery>('outbox', { lane: wellFormedString });
export const readClear = reader<ClearOptions>('clear', { partition: wellFormedString });
export const readReplay = reader<ReplayOptions>('replay', { key: oneOf('same', 'new') });
export const readFlush = reader<FlushOptions>('flush', {
  due: ofType<boolean>('boolean'),
  signal: abortSignal,
  onProgress: ofType('function'),
});
