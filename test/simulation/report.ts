import { capacityOf, type Origin, type SimulatedCall } from './origin.ts';
import type { Row } from './rows.ts';

export interface Report {
  /** Requests on the wire while the fault lasts for each call made in that time. */
  readonly perCall: number;
  /** Requests that the calls made during the fault cost, whenever they were sent, for each of these calls. */
  readonly perCallMade: number;
  /** The busiest three seconds after the fault, over the capacity. Absent if the fault never ends. */
  readonly peak?: number;
  /** The longest queue of the origin after the fault, in seconds of work. */
  readonly queue: number;
  /**
   * Seconds until 99 % of the calls made in a second, or in three seconds from it, succeed, and stay so.
   * `Infinity` for never (collapse).
   */
  readonly recovery?: number;
  /** Share of the origin's work after the fault that was for clients that had given up. */
  readonly wasted: number;
  /**
   * Share of the calls that succeed. `down`, `flaky`: all calls. `broken`: calls to the healthy endpoints.
   * `blip`: 1 − (calls of the whole run that fail) / (calls made during the blip), never below 0: a circuit that
   * stays open after the blip counts.
   */
  readonly succeeded: number;
}

/** The figures of one row for one fleet. */
export function reportOf(row: Row, calls: readonly SimulatedCall[], { arrivals, work }: Origin): Report {
  const { group, before, fault, after, kind } = row;
  const back = before + fault;
  const isDuring = (at: number): boolean => at >= before && at < back;
  const during = calls.filter(({ at }) => isDuring(at));
  const sent = arrivals.filter(isDuring).length;
  const failed = calls.filter(({ ok }) => !ok).length;
  const judged = kind.path ? calls.filter(({ path }) => path !== kind.path) : calls;
  return {
    perCall: sent / during.length,
    perCallMade: during.reduce((sum, { requests }) => sum + requests, 0) / during.length,
    ...(after > 0 && { peak: peakOf(row, arrivals), recovery: recoveryOf(row, calls) }),
    queue: work.queue,
    wasted: work.done === 0 ? 0 : work.wasted / work.done,
    succeeded:
      group === 'blip'
        ? Math.max(0, 1 - failed / during.length)
        : judged.filter(({ ok }) => ok).length / judged.length,
  };
}

/** Three seconds, because one of a small fleet is mostly chance. */
function peakOf(row: Row, arrivals: readonly number[]): number {
  const back = row.before + row.fault;
  const sent = bySecond(arrivals, back + row.after + 3);
  const seconds = Array.from({ length: row.after }, (_, second) => back + second);
  const busiest = Math.max(...seconds.map((at) => sum(sent.slice(at, at + 3)) / 3));
  return busiest / capacityOf(row);
}

function recoveryOf({ before, fault, after }: Row, calls: readonly SimulatedCall[]): number {
  const back = before + fault;
  const end = back + after;
  const failed = calls.filter(({ ok }) => !ok);
  const [made, bad] = [calls, failed].map((some) =>
    bySecond(
      some.map(({ at }) => at),
      end,
    ).slice(back),
  ) as [number[], number[]];
  const isOver = (second: number, seconds: number): boolean =>
    sum(bad.slice(second, second + seconds)) > 0.01 * sum(made.slice(second, second + seconds));
  // Two calls that fail in one second of 100 calls are chance; four in three seconds are not.
  const lastBad = made.findLastIndex((_, second) => isOver(second, 1) && isOver(second, 3));
  return lastBad === after - 1 ? Infinity : lastBad + 1;
}

function bySecond(times: readonly number[], seconds: number): number[] {
  const counts = new Array<number>(seconds).fill(0);
  for (const at of times) {
    const second = Math.floor(at);
    if (second < seconds) counts[second] = (counts[second] ?? 0) + 1;
  }
  return counts;
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
