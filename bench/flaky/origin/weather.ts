/** How one request fails. `reset` comes instead of the response, `truncated` and `stalled` in the middle of its body. */
export type Fault = 'reset' | '404' | '429' | '500' | '503' | 'hang' | 'truncated' | 'stalled';

/** Requests that fail independently of one another. */
export interface Share {
  /** The path it holds for. Default: every path. */
  readonly path?: string;
  readonly faults: readonly Fault[];
  /** From 0 to 1. */
  readonly rate: number;
}

/**
 * Gilbert–Elliott: the network is good or bad, and stays so for a time of exponential distribution. It starts in
 * either state, as often as it is in it.
 */
export interface Bursts {
  /** Mean duration of the good state in ms; all requests succeed in it. */
  readonly good: number;
  /** Mean duration of the bad state in ms. */
  readonly bad: number;
  /** Faults of the bad state, or `refuse`: the origin does not listen. */
  readonly faults: readonly Fault[] | 'refuse';
  /** Share of the requests that fail in the bad state; of no use to `refuse`. */
  readonly rate: number;
}

/** All connections die at once, as on a laptop that wakes up or a phone that changes networks. */
export interface Cut {
  /** In ms from the start. */
  readonly at: number;
  /** Shortest and longest time in ms until new connections work. */
  readonly back: readonly [number, number];
  /** `destroyed`: resets and refusals. `silent`: connections stay open, and nothing comes through any more. */
  readonly how: 'destroyed' | 'silent';
}

/** What an origin does from the start of its world on; before, it is healthy. Plain data. */
export interface Weather {
  readonly shares?: readonly Share[];
  readonly bursts?: Bursts;
  /** The origin refuses connections, and resets those it has. In ms from the start. */
  readonly down?: { readonly from: number; readonly to: number };
  readonly cut?: Cut;
  /** Shortest and longest time in ms from a request to its response. Default 5 and 20. */
  readonly latency?: readonly [number, number];
  /** The pause in ms in the middle of the NDJSON at `/stream`. */
  readonly pause?: number;
}
