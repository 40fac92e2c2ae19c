import { PerOrigin } from '../../core/origins.ts';
import type { RateNews, RateReport } from './sharing-words.ts';

interface Rate {
  /** When the bucket of all together will be full again, in ticks. */
  full: number;
  heldUntil: number;
  /** Calls a millisecond that each isolate wants, and until when that counts. */
  readonly demands: Map<string, { readonly demand: number; readonly until: number }>;
}

/** How many isolates are told apart at one origin. */
const MOST_ISOLATES = 200;

/** An isolate that has not reported for so many of its times is gone. */
const GONE_AFTER = 3;

/** In this time is saved what was too much, in ms; but a tenth is always left. */
const SAVING = 5_000;

/** Divides the rate of each origin among the isolates that want it. */
export class SharedRates {
  readonly #rates = new PerOrigin((): Rate => ({ full: 0, heldUntil: 0, demands: new Map() }));

  divide(
    { key, interval, burst, demand, taken, held }: RateReport,
    from: string,
    every: number,
    now: number,
  ): RateNews {
    const rate = this.#rates.get(key);
    rate.heldUntil = Math.max(rate.heldUntil, now + held);
    const { demands } = rate;
    demands.delete(from);
    demands.set(from, { demand, until: now + GONE_AFTER * every });
    for (const [isolate, { until }] of demands)
      if (until < now || demands.size > MOST_ISOLATES) demands.delete(isolate);
    return {
      key,
      share:
        interval === 0
          ? 1
          : fairly(demand, demands, interval) * thrift(rate, { interval, burst, taken, every, now }),
      held: rate.heldUntil - now,
    };
  }
}

/** Each what it wants, and its part of what is left over; where all want too much, all get the same fraction of it. */
function fairly(demand: number, demands: Rate['demands'], interval: number): number {
  let all = 0;
  for (const each of demands.values()) all += each.demand;
  // In parts of the rate.
  const wanted = all * interval;
  return Math.min(1, wanted > 1 ? demand / all : demand * interval + (1 - wanted) / demands.size);
}

/** What went beyond the rate, before the isolates knew of each other, is saved later; at most one burst of it. */
function thrift(
  rate: Rate,
  {
    interval,
    burst,
    taken,
    every,
    now,
  }: Pick<RateReport, 'interval' | 'burst' | 'taken'> & { every: number; now: number },
): number {
  // What is told now was taken over the time since the last report.
  const allowed = now + interval * burst + every;
  rate.full = Math.min(Math.max(now, rate.full) + taken * interval, allowed + interval * burst);
  return Math.min(1, Math.max(0.1, 1 - (rate.full - allowed) / SAVING));
}
