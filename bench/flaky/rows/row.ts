import type { Weather } from '../origin/weather.ts';

export interface CallOptions {
  /** Default `/items`. */
  readonly path?: string;
  /** Default `GET`. */
  readonly method?: string;
  /** Sends an `Idempotency-Key`. */
  readonly key?: boolean;
  /** The body is read chunk by chunk. */
  readonly streamed?: boolean;
  /** False: the row is not about this call. */
  readonly counts?: boolean;
}

/** What the callers of one world do. */
export interface Stage {
  /**
   * Sends a call and waits for its end, good or bad.
   *
   * @param number Its number in the world, which decides its luck.
   */
  call(number: number, options?: CallOptions): Promise<void>;
  /** @param ms Milliseconds. */
  wait(ms: number): Promise<void>;
}

export type Script = (stage: Stage) => Promise<unknown>;

/** The goals of DESIGN's budgets. `native`: at least native's share. */
export interface Goal {
  /** The share of calls that succeed, from 0 to 1. */
  readonly share?: number | 'native';
  /** Requests per call. */
  readonly requests?: number;
  /** Requests per call, as a part of ky's. */
  readonly ofKy?: number;
}

export interface Row {
  readonly group: string;
  readonly name: string;
  readonly weather: Weather;
  readonly script: Script;
  /** How many calls of one world count. */
  readonly calls: number;
  /** The most worlds the row has use for. Default: as many as the calls of a row take. */
  readonly worlds?: number;
  /** The time limit of one attempt in ms, for every contestant. Default: their own. */
  readonly limit?: number;
  /** holdfast has a cached response of each call. */
  readonly cached?: boolean;
  /** Calls that succeed before the faults begin, and do not count. */
  readonly warm?: number;
  readonly goal: Goal;
  /** A body breaks off or stalls: `createFetch`, which streams, is compared with native alone. */
  readonly brokenBodies?: boolean;
  /** About how long a world lasts in ms; the longest ones start first. Default 5,000. */
  readonly lasts?: number;
}

/** Unlike any other row's. */
export const titleOf = ({ group, name }: Row): string => `${group}: ${name}`;
