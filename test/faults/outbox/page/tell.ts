/** Tells the test what the page knows, before it is killed. */

import type { FoundDatabase } from './database.ts';

export type Report =
  /** First of all, before anything has been opened. */
  | { readonly begun: FoundDatabase }
  /** What the outbox holds before anything is sent or written. */
  | { readonly found: Found }
  | { readonly accepted: string }
  /** By the origin, as its caller was told. */
  | { readonly answered: string; readonly status: number }
  | { readonly refused: string; readonly code: string }
  /** What should not have happened. */
  | { readonly trouble: string }
  /** In the last life, when nothing can be sent any more. */
  | { readonly ended: Found };

export interface Found {
  readonly waiting: readonly string[];
  readonly dead: readonly Dead[];
  /** How many wait, as the outbox counts them. */
  readonly count: number;
}

export interface Dead {
  readonly item: string;
  /** Why: a status, or the code of the reason. */
  readonly why: string;
}

const reports: Report[] = [];
let isTelling = false;

/**
 * Posts one message at a time, with all there is to tell by then: in order, and over one connection, so that no report
 * queues for one of the six that a browser allows. What a killed browser has not got out was not told. Neither a beacon
 * nor `keepalive` helps there: they outlive the page, and not the process.
 */
export function tell(report: Report): void {
  reports.push(report);
  if (!isTelling) void post();
}

async function post(): Promise<void> {
  isTelling = true;
  while (reports.length > 0) await fetch('/', { method: 'POST', body: JSON.stringify(reports.splice(0)) });
  isTelling = false;
}

addEventListener('error', ({ message }) => tell({ trouble: message }));
addEventListener('unhandledrejection', ({ reason }) => tell({ trouble: String(reason) }));
