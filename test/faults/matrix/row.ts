import type { FaultName } from './faults.ts';
import type { Note } from './notes.ts';
import type { PolicySetName } from './policies.ts';

export const methods = ['GET', 'PUT', 'POST', 'POST, key'] as const;
export type Method = (typeof methods)[number];

/** Whether the fault hits the first request only, or each. */
export const spans = ['first', 'every'] as const;
export type Span = (typeof spans)[number];

/**
 * The earliest and the latest end, in ms. Far apart: the matrix tells a wait from none, on busy
 * machines.
 */
export const times = {
  'at once': [0, 3_000],
  'under 1 s': [150, 5_000],
  'some seconds': [900, 15_000],
  never: [2_000, 15_000],
} as const;
export type Time = keyof typeof times;

export const runtimes = ['node', 'chromium', 'firefox', 'webkit', 'deno', 'bun', 'workerd'] as const;
export type RuntimeName = (typeof runtimes)[number];

/** The result of a call. */
export interface Result {
  /** `200 network`, `TypeError network`: status and source, or name and code. */
  readonly outcome: string;
  /** By the server's count; after the plus those of the other origin; `2 to 6` if it varies. */
  readonly requests: string;
  /** The number of effects of a write, or that it is queued; empty for reads. */
  readonly applied: string;
  readonly time: Time;
}

export interface Case {
  readonly fault: FaultName;
  readonly span: Span;
  readonly policies: PolicySetName;
  readonly method: Method;
}

/** The differences of some runtimes, and the footnote with the reason. */
export interface Difference extends Partial<Result> {
  readonly in: readonly RuntimeName[];
  readonly why: Note;
}

export interface Row extends Case, Result {
  readonly but: readonly Difference[];
}

export function expectedIn(runtime: RuntimeName, row: Row): Result {
  const { outcome, requests, applied, time } = row;
  const other = row.but.find((difference) => difference.in.includes(runtime));
  return {
    outcome: other?.outcome ?? outcome,
    requests: other?.requests ?? requests,
    applied: other?.applied ?? applied,
    time: other?.time ?? time,
  };
}
