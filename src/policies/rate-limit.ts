import { count, duration, having, limit, readOptions, span } from '../core/check.ts';
import { sleep } from '../core/clock.ts';
import { type Call, type Clock, named, type Policy } from '../core/contract.ts';
import type { Duration } from '../core/durations.ts';
import { CapacityError, ConfigurationError } from '../core/errors.ts';
import { PerOrigin } from '../core/origins.ts';
import { rateLimitReset } from '../http/rate-limit.ts';
import { retryAfter } from '../http/retry-after.ts';

export interface RateLimitOptions {
  /** Calls to one origin `per` time. Default: no limit of our own, only the origin's word. */
  readonly rate?: number;
  /** Default 1 s. */
  readonly per?: Duration;
  /** Calls that may go at once after a pause. Default `rate`. */
  readonly burst?: number;
  /** How long a call waits for its turn. Default 5 s; `false`: as long as its total time allows. */
  readonly maxWait?: Duration | false;
  /** How long an origin can hold our calls back, whatever it says: not for a year. Default 60 s; 0: not at all. */
  readonly maxRetryAfter?: Duration;
  /** Divides the rate among others, and tells what an origin asks: `betweenIsolates(binding)`. Default: nobody. */
  readonly share?: RateSharing;
}

/** A rate that is one for all who share it. */
export interface RateSharing {
  /** @param make What is known of an origin at first. */
  buckets(terms: RateTerms, make: () => Bucket): Buckets;
}

/** How many calls may go in a time. */
export interface RateTerms {
  /** Milliseconds between two; 0: no limit of ours. */
  readonly interval: number;
  /** So many may go at once. */
  readonly burst: number;
  /** How long an origin can hold calls back, in ms. */
  readonly maxRetryAfter: number;
}

/** What is known of each origin. None of it may fail. */
export interface Buckets {
  /** Called as a call begins. */
  get(origin: string, call: Call): Bucket;
  entries(): Iterable<[string, Bucket]>;
  /** Called when an origin has asked for a time without calls. */
  heard?(origin: string, call: Call): void;
}

export interface RateLimit extends Policy {
  /** The origins that were called; `retryAt` (wall time in ms) where one wants no call before. */
  states(): Record<string, { readonly retryAt?: number }>;
}

/** All in ticks: what is shared between calls is numbers, and each waits by a timer of its own (Workers). */
export interface Bucket {
  /** The origin wants no call before. */
  heldUntil: number;
  /** When the bucket will be full again (the "theoretical arrival time" of GCRA). */
  full: number;
  /** Turns of calls that did not wait for them. */
  freed: number[];
  /** The part of the rate that is ours, above 0 and up to 1. */
  share: number;
  /** Calls that have asked for a turn, and those that were given one. */
  wanted: number;
  taken: number;
}

/** The statuses whose `Retry-After` is about calls to come (RFC 9110, 10.2.3 and 15.5.14; RFC 6585, 4). */
const SAYS_LATER = [413, 429, 503];

/** Who was held back comes within this time, in ms, not all at once: what `Retry-After` says is a second exactly. */
const SPREAD = 1000;

/**
 * Bounds how many calls go to one origin in a time, by a token bucket, and honours the origin's own word: `Retry-After`
 * with 413, 429 or 503, or rate-limit fields that leave nothing, heard by one call hold back all.
 *
 * A call waits for its turn if that comes within `maxWait` and the call's total time, else it is refused at once. Those who
 * were held back come spread over a second. A turn that an aborted call leaves goes to the next that asks.
 *
 * @throws {CapacityError} code `rate-limit`, with `retryAt`; nothing was sent.
 * @see ITU-T I.371, Annex A: the generic cell rate algorithm (virtual scheduling).
 */
export function rateLimit(options: RateLimitOptions = {}): RateLimit {
  const settings = readOptions(
    'rateLimit',
    options,
    {
      rate: count(1),
      per: span,
      burst: count(1),
      maxWait: limit,
      maxRetryAfter: duration,
      share: having<RateSharing>('what shares a rate, such as betweenIsolates(binding)', 'buckets'),
    },
    {
      rate: Infinity,
      per: 1_000,
      burst: 0,
      maxWait: 5_000,
      maxRetryAfter: 60_000,
      share: undefined as RateSharing | undefined,
    },
  );
  const { rate, maxWait, maxRetryAfter, share } = settings;
  for (const name of ['per', 'burst'] as const)
    if (rate === Infinity && options[name] !== undefined)
      throw new ConfigurationError(`rateLimit.${name}`, options[name], 'expected a rate with it');
  const interval = settings.per / rate;
  const burst = interval && (settings.burst || rate);
  // Three thirds of a second are not a second.
  const saved = interval * burst + 1e-6;
  const make = (): Bucket => ({ heldUntil: 0, full: 0, freed: [], share: 1, wanted: 0, taken: 0 });
  const buckets: Buckets = share?.buckets({ interval, burst, maxRetryAfter }, make) ?? new PerOrigin(make);
  // Set by the first pipeline: `states()` needs the time, and is asked outside any call.
  let clock: Clock | undefined;

  /** @returns the next turn from `from` on; taken unless it is after `latest`. */
  const take = (bucket: Bucket, from: number, now: number, latest: number): number => {
    if (interval === 0) return from;
    if (bucket.freed.length > 0) {
      bucket.freed = bucket.freed.filter((turn) => turn >= now).sort((a, b) => a - b);
      const at = bucket.freed.findIndex((turn) => turn >= from);
      const turn = bucket.freed[at] ?? Infinity;
      if (at >= 0 && turn <= latest) {
        bucket.freed.splice(at, 1);
        return turn;
      }
    }
    // Whose part is a tenth gets a tenth of the turns, and saves up a tenth.
    const own = interval / bucket.share;
    const turn = Math.max(from, bucket.full - Math.max(0, saved - own));
    if (turn <= latest) {
      bucket.full = Math.max(from, bucket.full) + own;
      bucket.taken++;
    }
    return turn;
  };

  const wait = async (bucket: Bucket, call: Call): Promise<void> => {
    const { clock, random } = call.host;
    const latest = Math.min(clock.ticks() + maxWait, call.deadline ?? Infinity);
    bucket.wanted++;
    for (let waited = false; ; waited = true) {
      const now = clock.ticks();
      const held = bucket.heldUntil;
      const room = held > latest ? SPREAD : Math.min(SPREAD, latest - held);
      const turn = take(bucket, held > now ? held + random() * room : now, now, latest);
      if (turn > latest) throw refusal(call, turn - now);
      if (turn > now) {
        if (!waited)
          call.emit?.({ type: 'waiting', callId: call.id, origin: call.origin, for: 'rate-limit' });
        try {
          await sleep(turn - now, call);
        } catch (reason) {
          if (interval) bucket.freed.push(turn);
          throw reason;
        }
        // Another call has heard meanwhile that it is too early.
        if (bucket.heldUntil > turn) continue;
      }
      if (turn > now || waited) call.readmit?.();
      return;
    }
  };

  const hear = ({ status, headers }: Response, bucket: Bucket, call: Call): void => {
    const { clock } = call.host;
    const now = clock.now();
    const asked =
      (SAYS_LATER.includes(status) ? retryAfter(headers, now) : undefined) ?? rateLimitReset(headers, now);
    if (!asked) return;
    bucket.heldUntil = Math.max(bucket.heldUntil, clock.ticks() + Math.min(asked, maxRetryAfter));
    buckets.heard?.(call.origin, call);
  };

  const policy: Policy = (next, home) => {
    clock ??= home.host.clock;
    return async (request, call) => {
      const { origin, signal, host } = call;
      if (signal.aborted) throw signal.reason;
      const bucket = buckets.get(origin, call);
      if (interval || bucket.heldUntil > host.clock.ticks()) await wait(bucket, call);
      const response = await next(request, call);
      hear(response, bucket, call);
      return response;
    };
  };

  return Object.assign(named('rateLimit', policy, { switchOnly: true }), {
    states() {
      const states: Record<string, { retryAt?: number }> = {};
      for (const [origin, { heldUntil }] of buckets.entries()) {
        const left = clock ? heldUntil - clock.ticks() : 0;
        states[origin] = clock && left > 0 ? { retryAt: Math.ceil(clock.now() + left) } : {};
      }
      return states;
    },
  });
}

function refusal({ id: callId, origin, host, emit }: Call, wait: number): CapacityError {
  const retryAt = Math.ceil(host.clock.now() + wait);
  const code = 'rate-limit';
  emit?.({ type: 'refused', callId, origin, code, retryAt });
  return new CapacityError(code, `no call to ${origin} for another ${Math.ceil(wait)} ms`, {
    callId,
    origin,
    retryAt,
  });
}
