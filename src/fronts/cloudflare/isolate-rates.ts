import type { Call } from '../../core/contract.ts';
import { PerOrigin } from '../../core/origins.ts';
import type { Bucket, Buckets, RateTerms } from '../../policies/rate-limit.ts';
import { MOST_WORDS, type RateReport, type Reply } from './sharing-words.ts';

interface IsolateBucket extends Bucket {
  key: string;
  readonly maxRetryAfter: number;
  readonly interval: number;
  readonly burst: number;
  /** It is in the next report. */
  asked: boolean;
  /** When it was last reported, in ticks. */
  since: number;
  /** Until when it is held, as far as the coordinator knows. */
  toldUntil: number;
}

/** The buckets of this isolate, whichever clients use them; of each kind for at most 1,000 origins. */
export class IsolateRates {
  readonly #kinds = new Map<string, PerOrigin<IsolateBucket>>();
  #asked: IsolateBucket[] = [];

  /** @param during Told of each call. @returns the same buckets for the same terms. */
  buckets(
    { interval, burst, maxRetryAfter }: RateTerms,
    make: () => Bucket,
    during: (call: Call, urgent?: boolean) => { readonly isAlone: boolean },
  ): Buckets {
    const kind = `${interval} ${burst} ${maxRetryAfter}`;
    const buckets =
      this.#kinds.get(kind) ??
      new PerOrigin(
        (): IsolateBucket => ({
          ...make(),
          key: '',
          interval,
          burst,
          maxRetryAfter,
          asked: false,
          since: 0,
          toldUntil: 0,
        }),
      );
    this.#kinds.set(kind, buckets);
    const asked = (origin: string): IsolateBucket => {
      const bucket = buckets.get(origin);
      bucket.key ||= `${interval} ${burst} ${origin}`;
      this.#ask(bucket);
      return bucket;
    };
    return {
      get: (origin, call) => {
        const bucket = asked(origin);
        // Who hears nothing has the whole rate, as without anybody.
        if (during(call).isAlone) bucket.share = 1;
        return bucket;
      },
      heard(origin, call) {
        asked(origin);
        during(call, true);
      },
      entries: () => buckets.entries(),
    };
  }

  #ask(bucket: IsolateBucket): void {
    if (bucket.asked || this.#asked.length >= MOST_WORDS) return;
    bucket.asked = true;
    this.#asked.push(bucket);
  }

  /** @returns what the coordinator is to be told, and what is to be done with its answer. */
  report(now: number, every: number): { reports: RateReport[]; learn: (reply: Reply, now: number) => void } {
    const asked = this.#asked;
    this.#asked = [];
    const told = new Map<string, { bucket: IsolateBucket; taken: number; heldUntil: number }>();
    const reports = asked.map((bucket): RateReport => {
      const { key, interval, burst, wanted, taken, heldUntil, since, toldUntil } = bucket;
      told.set(key, { bucket, taken, heldUntil });
      Object.assign(bucket, { asked: false, wanted: 0, since: now });
      // One that has slept wakes up for more than one call.
      const time = Math.min(2 * every, Math.max(every, now - since));
      const held = heldUntil > toldUntil ? Math.max(0, heldUntil - now) : 0;
      return { key, interval, burst, demand: Math.max(1, wanted) / time, taken, held };
    });
    return {
      reports,
      learn({ rates }, now) {
        for (const { bucket, taken, heldUntil } of told.values()) {
          bucket.taken -= taken;
          bucket.toldUntil = heldUntil;
        }
        for (const { key, share, held } of rates) {
          const bucket = told.get(key)?.bucket;
          if (!bucket) continue;
          bucket.share = share;
          const until = held && now + Math.min(held, bucket.maxRetryAfter);
          if (until > bucket.heldUntil) bucket.heldUntil = bucket.toldUntil = until;
        }
      },
    };
  }
}
