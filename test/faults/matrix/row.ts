import type { FaultName } from './faults.ts';
import type { Note } from './notes.ts';
import type { PolicySetName } from './policies.ts';

export const methods = ['GET', 'PUT', 'POST', 'POST, key'] as const;
export type Method = (typeof methods)[number];

/** Whether the fault befalls the first request only, or each. */
export const spans = ['first', 'every'] as const;
export type Span = (typeof spans)[number];

/** From when on and until when, in ms. Far apart: what is told apart is a wait from none, on machines that are busy. */
export const times = {
  'at once': [0, 3_000],
  'under 1 s': [150, 5_000],
  'some seconds': [900, 15_000],
  never: [2_000, 15_000],
} as const;
export type Time = keyof typeof times;

export const runtimes = ['node', 'chromium', 'firefox', 'webkit', 'deno', 'bun', 'workerd'] as const;
export type RuntimeName = (typeof runtimes)[number];

/** What came of a call. */
export interface Result {
  /** `200 network`, `TypeError network`: status and source, or name and code. */
  readonly outcome: string;
  /** As the server counted; after the plus those that came to the other origin; `2 to 6` where it is not always the same. */
  readonly requests: string;
  /** How often a write took effect, or that it is kept; empty for reads. */
  readonly applied: string;
  readonly time: Time;
}

export interface Case {
  readonly fault: FaultName;
  readonly span: Span;
  readonly policies: PolicySetName;
  readonly method: Method;
}

/** What is different in some runtimes, and the footnote that says why. */
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
