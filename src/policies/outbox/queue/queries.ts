import {
  abortSignal,
  integer,
  ofType,
  oneOf,
  readSettings,
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

export interface ResultOptions {
  readonly signal?: AbortSignal | undefined;
}

export interface FlushOptions {
  /**
   * `true` sends only entries that are due. `'retry-after'` ends each backoff, and respects each `Retry-After`. Default `false`: sends
   * all.
   */
  readonly due?: boolean | 'retry-after' | undefined;
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

export const readQuery = (query: EntriesQuery) =>
  readSettings(
    'entries',
    {
      state: [undefined, oneOf('waiting', 'dead-letter')],
      lane: [undefined, wellFormedString],
      after: [undefined, ofType<string>('string')],
      limit: [undefined, integer(1)],
    },
    query,
  );

/** @returns the lane. */
export const readLaneQuery = (query: LaneQuery) =>
  readSettings('outbox', { lane: [undefined, wellFormedString] }, query).lane;

/** @returns the partition. */
export const readClear = (of: ClearOptions) =>
  readSettings('clear', { partition: [undefined, wellFormedString] }, of).partition;

/** @returns the signal. */
export const readResult = (options: ResultOptions) =>
  readSettings('result', { signal: [undefined, abortSignal] }, options).signal;

/** @returns the key. */
export const readReplay = (options: ReplayOptions) =>
  readSettings('replay', { key: ['same' as const, oneOf('same', 'new')] }, options).key;

export const readFlush = (options: FlushOptions) =>
  readSettings(
    'flush',
    {
      due: [false, oneOf<boolean | 'retry-after'>(true, false, 'retry-after')],
      signal: [undefined, abortSignal],
      onProgress: [undefined, ofType<FlushOptions['onProgress']>('function')],
    },
    options,
  );
