import { withDeadline } from '../core/clock.ts';
import type { Host } from '../core/contract.ts';

/** How long an event of the platform's lasts, in ms: it ends what takes longer, and nobody can leave things in order then. */
export interface EventTime {
  /** Nothing more is begun after so long. */
  readonly begin: number;
  /** What is still going on after so long goes on without the event. */
  readonly end: number;
}

/**
 * Does something while an event of the platform's lasts.
 *
 * @param work Begins nothing more when its signal aborts.
 * @throws {OverdueError} where it has not ended in time; what it throws itself.
 */
export async function inTime<T>(
  { begin, end }: EventTime,
  host: Host,
  work: (enough: AbortSignal) => Promise<T>,
): Promise<T> {
  const enough = new AbortController();
  const cancel = host.clock.after(begin, () => enough.abort());
  try {
    return await withDeadline(end, { host }, work(enough.signal));
  } finally {
    cancel();
  }
}
