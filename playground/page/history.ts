import type { HoldfastEvent } from 'holdfast';

/** What became of the calls of some seconds. */
export interface Moment {
  /** Since the page was loaded, in moments. */
  readonly number: number;
  answered: number;
  /** By a copy, or kept in the outbox: the application goes on. */
  bridged: number;
  failed: number;
}

/** Milliseconds. */
const MOMENT = 5_000;
const MOMENTS = 36;

export const COVERED = (MOMENTS * MOMENT) / 1000;

const BRIDGES: readonly unknown[] = ['stale', 'outbox', 'fallback'];

/** What became of the calls of the last minutes, newest last. */
export function createHistory() {
  const moments = new Map<number, Moment>();
  const numberNow = (): number => Math.floor(performance.now() / MOMENT);
  const at = (number: number): Moment =>
    moments.get(number) ?? { number, answered: 0, bridged: 0, failed: 0 };

  function receive(event: HoldfastEvent): void {
    if (event.type !== 'call-ended') return;
    const { source, status = 0, error } = event;
    const moment = at(numberNow());
    moments.set(moment.number, moment);
    moments.delete(moment.number - 2 * MOMENTS);
    if (error !== undefined || status >= 500) moment.failed++;
    else if (BRIDGES.includes(source)) moment.bridged++;
    else moment.answered++;
  }

  function recent(): Moment[] {
    const now = numberNow();
    return Array.from({ length: MOMENTS }, (_, nth) => at(now - MOMENTS + 1 + nth));
  }

  return { receive, recent };
}
