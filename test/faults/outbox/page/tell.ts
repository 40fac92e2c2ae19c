/** Reports to the test, before the page is killed. */

import type { FoundDatabase } from './database.ts';

export type Report =
  /** First of all, before any database is open. */
  | { readonly begun: FoundDatabase }
  /** The entries of the outbox before anything is sent or written. */
  | { readonly found: Found }
  | { readonly accepted: string }
  /** By the origin, as its caller saw it. */
  | { readonly answered: string; readonly status: number }
  | { readonly refused: string; readonly code: string }
  /** An unexpected failure. */
  | { readonly trouble: string }
  /** In the last life, when no entry can be sent any more. */
  | { readonly ended: Found };

export interface Found {
  readonly waiting: readonly string[];
  readonly dead: readonly Dead[];
  /** The number of waiting entries, as the outbox counts them. */
  readonly count: number;
}

export interface Dead {
  readonly item: string;
  /** The cause: a status, or the code of the reason. */
  readonly why: string;
}

const reports: Report[] = [];
let isTelling = false;

/**
 * Posts one message at a time, with all reports up to then: in order, and over one connection, so
 * that no report queues for one of the six that a browser allows. A report that a killed browser
 * has not sent does not exist. Neither a beacon nor `keepalive` helps there: they outlive the page,
 * and not the process.
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
