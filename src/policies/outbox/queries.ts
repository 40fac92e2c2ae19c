import { abortSignal, integer, ofType, oneOf, readOptions, wellFormedString } from '../../core/check.ts';
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
  /** `'same'` (default): the origin may know the key; `'new'`: it answers as to a write that it has never seen. */
  readonly key?: 'same' | 'new' | undefined;
}

export interface FlushOptions {
  /** Only what is due: whatever has to wait goes on waiting. Default false: everything is tried now. */
  readonly due?: boolean | undefined;
  /** Begins nothing more when it aborts. */
  readonly signal?: AbortSignal | undefined;
  /** Told after each write that has come to its end. */
  readonly onProgress?: ((progress: FlushProgress) => void) | undefined;
}

/** Of what waited when it began. */
export interface FlushProgress {
  readonly total: number;
  readonly delivered: number;
  readonly dead: number;
  /** What still waits. */
  readonly left: number;
}

/** Which lane is meant. */
export interface LaneQuery {
  /** Default: all of the current user's. */
  readonly lane?: string | undefined;
}

export const readQuery = (given: EntriesQuery): EntriesQuery =>
  readOptions<EntriesQuery>(
    'entries',
    given,
    {
      state: oneOf('waiting', 'dead-letter'),
      lane: wellFormedString,
      after: ofType<string>('string'),
      limit: integer(1),
    },
    {},
  );

export const readLaneQuery = (given: LaneQuery): LaneQuery =>
  readOptions<LaneQuery>('outbox', given, { lane: wellFormedString }, {});

export interface ClearOptions {
  /** Whose. Default: the current user's. */
  readonly partition?: string | undefined;
}

export const readClear = (given: ClearOptions): ClearOptions =>
  readOptions<ClearOptions>('clear', given, { partition: wellFormedString }, {});

export const readReplay = (given: ReplayOptions): ReplayOptions =>
  readOptions<ReplayOptions>('replay', given, { key: oneOf('same', 'new') }, {});

export const readFlush = (given: FlushOptions): FlushOptions =>
  readOptions<FlushOptions>(
    'flush',
    given,
    { due: ofType<boolean>('boolean'), signal: abortSignal, onProgress: ofType('function') },
    {},
  );
