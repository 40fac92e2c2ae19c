import { type Clock, named } from '../core/contract.ts';
import { CapacityError } from '../core/errors.ts';
import { type Run, type Stage, stage } from '../core/stage.ts';
import { quotaReset, waitAsked } from '../http/rate-limit.ts';
import { ConfigurationError } from '../primitives/failure.ts';
import { LruMap } from '../primitives/lru.ts';
import type { Duration } from '../primitives/units.ts';
import {
  duration,
  durationOrFalse,
  integer,
  positiveDuration,
  readSettings,
  withMethods,
} from '../primitives/validate.ts';
import { connectLater, type Sharing } from './breaker/sharing.ts';

export interface RateLimitOptions {
  /** Calls to one origin `per` time. Default: only the origin's `Retry-After` limits them. */
  readonly rate?: number;
  /** Default 1 s. */
  readonly per?: Duration;
  /** Calls that may go at once after a pause. Default `rate`. */
  readonly burst?: number;
  /** How long a call waits for its turn. Default 5 s; `false`: as long as its total time allows. */
  readonly maxWait?: Duration | false;
  /** The longest delay that an origin's `Retry-After` can cause. Default 60 s; 0: none. */
  readonly maxRetryAfter?: Duration;
  /** Shares the `Retry-After` of origins, not the rate: `betweenIsolates(binding)` or `betweenTabs()`. Default: none. */
  readonly share?: Sharing;
}

export interface RateLimit extends Stage {
  /** The origins that were called; `retryAt` (wall time in ms) where one wants no call before. */
  states(): Record<string, { readonly retryAt?: number }>;
}

/** Times are ticks. Calls share only numbers, and each waits by a timer of its own (Workers). */
interface Bucket {
  /** The origin asks for no call before. */
  heldUntil: number;
  /** When the bucket will be full again (the "theoretical arrival time" of GCRA). */
  full: number;
  /** Turns of calls that did not wait for them. */
  freed: number[];
}

/** The statuses whose `Retry-After` is about calls to come (RFC 9110, 10.2.3 and 15.5.14; RFC 6585, 4). */
const RETRY_AFTER_STATUSES = [413, 429, 503];

/** Delayed calls are spread over this time, in ms: `Retry-After` names a second exactly, and all would come at once. */
const SPREAD = 1000;

/**
 * Bounds how many calls go to one origin in a time, by a token bucket, and honours the origin's `Retry-After`
 * with 413, 429 or 503, or rate-limit fields that leave nothing. A `Retry-After` for one call delays all.
 *
 * A call waits for its turn if that comes within `maxWait` and the call's total time, else it is rejected at once. Delayed
 * calls are spread over a second. The turn of an aborted call goes to the next call.
 *
 * @throws {CapacityError} code `rate-limit`, with `retryAt`; nothing was sent.
 * @see ITU-T I.371, Annex A: the generic cell rate algorithm (virtual scheduling).
 *
 * @example
 * const fetch = createFetch({ rateLimit: rateLimit({ rate: 10, per: '1s' }) });
 */
export function rateLimit(options: RateLimitOptions = {}): RateLimit {
  const settings = readSettings(
    'rateLimit',
    {
      rate: [Infinity, integer(1)],
      per: [1_000, positiveDuration],
      burst: [0, integer(1)],
      maxWait: [5_000, durationOrFalse],
      maxRetryAfter: [60_000, duration],
      share: [undefined, withMethods<Sharing>('what shares, such as betweenIsolates(binding)', 'connect')],
    },
    options,
  );
  const { rate, maxWait, maxRetryAfter, share } = settings;
  for (const name of ['per', 'burst'] as const)
    if (rate === Infinity && options[name] !== undefined)
      throw new ConfigurationError(`rateLimit.${name}`, options[name], 'expected a rate with it');
  const interval = settings.per / rate;
  const burst = interval && (settings.burst || rate);
  // Three thirds of a second are not a second.
  const saved = interval * burst + 1e-6;
  const buckets = new LruMap((): Bucket => ({ heldUntil: 0, full: 0, freed: [] }));
  // Set by the first pipeline: `states()` needs the time, and is called outside any call.
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
    const turn = Math.max(from, bucket.full - Math.max(0, saved - interval));
    if (turn <= latest) bucket.full = Math.max(from, bucket.full) + interval;
    return turn;
  };

  /** Takes a turn. @returns the wait for it; `undefined` if the call may go at once. */
  const enter = (bucket: Bucket, run: Run, latest: number): Promise<void> | undefined => {
    const { clock, random } = run.call.host;
    const now = clock.ticks();
    const held = bucket.heldUntil;
    const room = held > latest ? SPREAD : Math.min(SPREAD, latest - held);
    const turn = take(bucket, held > now ? held + random() * room : now, now, latest);
    if (turn > latest) throw rejection(run, turn - now);
    return turn > now ? wait(turn, now, bucket, run, latest) : undefined;
  };

  const wait = async (turn: number, now: number, bucket: Bucket, run: Run, latest: number): Promise<void> => {
    try {
      await run.wait(turn - now);
    } catch (reason) {
      if (interval) bucket.freed.push(turn);
      throw reason;
    }
    // Another call has received a later `Retry-After` while this one waited.
    if (bucket.heldUntil > turn) await enter(bucket, run, latest);
    run.recheck();
  };

  const onResponse = (response: Response, { origin, call }: Run): void => {
    const { clock } = call.host;
    const now = clock.now();
    const { status, headers } = response;
    const asked = RETRY_AFTER_STATUSES.includes(status)
      ? waitAsked(response, now, quotaReset)
      : quotaReset(headers, now);
    if (!asked) return;
    const left = hold(origin, asked) - clock.ticks();
    remote?.broadcast({ key: origin, is: 'held', left, times: 0 });
    remote?.during(call);
  };

  /** @returns until when, in ticks. */
  const hold = (origin: string, ms: number): number => {
    const bucket = buckets.get(origin);
    bucket.heldUntil = Math.max(bucket.heldUntil, (clock?.ticks() ?? 0) + Math.min(ms, maxRetryAfter));
    return bucket.heldUntil;
  };

  const remote =
    share &&
    connectLater(
      share,
      ({ is, key, left }) => is === 'held' && hold(key, left),
      () => [],
    );

  const policy = stage({
    attach(pipeline) {
      clock ??= pipeline.host.clock;
      pipeline.quotaReset = quotaReset;
    },
    enter(run) {
      const { pipeline, call, origin, deadline } = run;
      remote?.enter(pipeline, call);
      const bucket = buckets.get(origin);
      const now = call.host.clock.ticks();
      if (!interval && bucket.heldUntil <= now) return;
      const waiting = enter(bucket, run, Math.min(now + maxWait, deadline));
      if (waiting) call.emit?.({ type: 'waiting', callId: call.id, origin, for: 'rate-limit' });
      return waiting;
    },
    leave(run) {
      if (run.response) onResponse(run.response, run);
    },
  });

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

function rejection({ origin, call: { id: callId, host, emit } }: Run, wait: number): CapacityError {
  const retryAt = Math.ceil(host.clock.now() + wait);
  const code = 'rate-limit';
  emit?.({ type: 'refused', callId, origin, code, retryAt });
  return new CapacityError(code, `no call to ${origin} for another ${Math.ceil(wait)} ms`, {
    callId,
    origin,
    retryAt,
  });
}
