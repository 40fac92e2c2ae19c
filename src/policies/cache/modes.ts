import { dropBody } from '../../core/body/body.ts';
import type { Call } from '../../core/contract.ts';
import { NetworkError, TimeoutError } from '../../core/errors.ts';
import { allowsFallback, sourceOf } from '../../core/outcome.ts';
import { type Run, type Stage, stage } from '../../core/stage.ts';
import { isOwnValidation, parseRequestDirectives } from '../../http/cache-control.ts';
import { type Category, type Failure, isFailure } from '../../primitives/failure.ts';
import { memoized } from '../../primitives/validate.ts';
import type { Cache, Read, Revalidation } from './cache-context.ts';
import { readCallOptions } from './options.ts';
import { rangeResponse } from './range-response.ts';
import type { Revalidator } from './revalidate.ts';
import { LOST } from './silence.ts';
import { type CachedResponse, isImmutable } from './store/entry.ts';
import type { ServeReason } from './to-response.ts';

/** RFC 5861, 4: these count as no response. */
const UNANSWERED = [500, 502, 503, 504];

const UNREACHED: readonly Category[] = ['network', 'timeout', 'circuit-open', 'capacity', 'rate-limit'];

/** The cause of a cached response while the request is still under way. */
const SILENCE: ServeReason = { cause: 'silence', forwarded: true };

/** How long the body of a request that no caller waits for may be silent, in ms: there is time, but not for ever. */
const SILENT_BODY = 120_000;

/** A read on its way to the origin; or a request that no caller waits for. */
interface Flight extends Revalidation {
  readonly read?: Read;
  isServed?: boolean;
  isOver?: boolean;
  /** Gives back the subscription to the host's connectivity, and the timer. */
  release?: (() => void) | undefined;
  /** The request has ended, and its body. */
  ended?: () => void;
}

/** The part of the cache that knows the caller: decides where a read is answered from. */
export function modes(cache: Cache, { revalidate, probe }: Revalidator): Stage {
  const { silences, revalidations: questions } = cache;
  const callOptions = memoized((own) => readCallOptions(own, cache.settings));

  /** Whether it has to be known before the request is sent what there is. */
  const looksFirst = ({ wanted, isServed }: Read): boolean =>
    !wanted.noStore && !wanted.reload && (isServed || cache.settings.validators === 'own');

  /** The copy that may take the place of the origin's response. */
  const usable = async (read: Read): Promise<CachedResponse | undefined> => {
    const { call, wanted, own } = read;
    if (wanted.noStore) return undefined;
    const cached = await cache.find(read);
    return cached && cache.reuse(cached, call, wanted, own) !== 'when-confirmed' ? cached : undefined;
  };

  /** A cached response, or the one that has replaced it in between. */
  const give = async (
    cached: CachedResponse,
    read: Read,
    why: ServeReason = {},
  ): Promise<Response | undefined> => {
    const copy = await cache.serve(cached, read, why);
    if (copy) return copy;
    const next = await usable(read);
    return next && next.key !== cached.key ? cache.serve(next, read, why) : undefined;
  };

  const copyInstead = async (read: Read, cause: unknown): Promise<Response | undefined> => {
    const cached = await usable(read);
    return cached && give(cached, read, { cause, forwarded: read.call.attempts.length > 0 });
  };

  /** Whether the origin's silence alone is a reason for a cached response. */
  const allowsSilence = ({ wanted, own }: Read): boolean =>
    own.respondAfter !== Infinity && !wanted.noStore && !wanted.noCache && !wanted.onlyIfCached;

  /** A copy at once, because the origin is known to be silent: one request at a time finds out whether it still is. */
  const fromSilence = async (run: Run, read: Read, cached: CachedResponse): Promise<Response | undefined> => {
    const { call } = read;
    const copy = await give(cached, read, { cause: 'silence' });
    const ended = copy && call.host.connectivity.state && silences.probe(call);
    if (ended) call.waitUntil(probe(run.pipeline, cached, read).finally(ended));
    return copy;
  };

  /** The cached response in place of a request. */
  const fromCopy = async (run: Run, read: Read, cached: CachedResponse, isSilent: boolean) => {
    const { call, wanted, own, isServed } = read;
    const reuse = cache.reuse(cached, call, wanted, own);
    const isBackground = reuse === 'while-revalidating' && isServed && !wanted.onlyIfCached;
    if (isBackground || (reuse === 'as-is' && (isServed || isImmutable(cached)))) {
      const copy = await cache.serve(cached, read);
      if (copy && isBackground) revalidate(run.pipeline, cached, read);
      return copy;
    }
    return isSilent && reuse !== 'when-confirmed' && !cached.invalidated
      ? fromSilence(run, read, cached)
      : undefined;
  };

  const look = async (run: Run, read: Read, isSilent: boolean): Promise<Flight | undefined> => {
    const cached = isSilent || looksFirst(read) ? await cache.find(read) : undefined;
    run.response = cached && (await fromCopy(run, read, cached, isSilent));
    if (run.response) return undefined;
    if (!read.wanted.onlyIfCached) return send(run, read, cached);
    run.response = missing(read);
    return undefined;
  };

  const part = async (run: Run, read: Read): Promise<undefined> => {
    run.response = await rangeResponse(cache, read);
    if (!run.response && read.wanted.onlyIfCached) run.response = missing(read);
  };

  /** @param cached The cached response to revalidate. */
  const send = (run: Run, read: Read, cached?: CachedResponse): Flight | Promise<Flight | undefined> =>
    read.wanted.noStore || read.call.host.connectivity.state
      ? launch(run, read, cached)
      : offline(run, read, cached);

  /** Nothing is sent if there is a copy to be had: below, a retry would wait for a network. */
  const offline = async (run: Run, read: Read, cached?: CachedResponse): Promise<Flight | undefined> => {
    const { call } = read;
    const found = await usable(read);
    if (!found || call.host.connectivity.state) return launch(run, read, cached);
    const error = isOffline(read);
    if (allowsFallback(call, error, true)) run.response = await copyInstead(read, error);
    if (run.response) return undefined;
    throw error;
  };

  const launch = (run: Run, read: Read, cached: CachedResponse | undefined): Flight => {
    const { call, wanted, own } = read;
    const { level } = run;
    const { clock, connectivity: online } = call.host;
    const flight: Flight = { read, cached };
    const aside: Read = { ...read, run: undefined };
    const standsIn = (): Promise<boolean> =>
      usable(aside).then(
        (found) => found !== undefined && !flight.isServed,
        // It must not fail: what is further in asks it in the middle of a failure.
        () => false,
      );
    run.call = questions.put(flight, call, { standsIn });
    if (wanted.noStore) return flight;
    const giveUp = async (): Promise<void> => {
      const found = await usable(aside);
      if (found && !flight.isOver && !online.state) run.abandon(isOffline(read), level);
    };
    flight.release = online.subscribe((isUp) => {
      if (!isUp) giveUp().catch(() => {});
    });
    if (!allowsSilence(read)) return flight;
    const { epoch } = cache.store;
    const sentAt = clock.ticks();
    const silent = async (): Promise<void> => {
      // Only now: a request is not to wait for the store.
      const found = await usable(aside);
      const cached = found?.invalidated ? undefined : found;
      const copy = cached && (await give(cached, aside, SILENCE));
      if (!copy || flight.isOver || cache.store.wasDeleted(cached.response, epoch)) return dropBody(copy);
      flight.isServed = true;
      const ended = silences.goesOn(call, sentAt);
      const work = new Promise<void>((resolve) => {
        flight.ended = resolve;
      });
      call.waitUntil(work.then(ended));
      bound(run, level, flight);
      run.respondEarly(copy, level);
    };
    run.limit(own.respondAfter, () => void silent().catch(() => {}));
    return flight;
  };

  const count = (response: Response | undefined): void => {
    if (response && sourceOf(response) === 'network') cache.stats.misses++;
  };

  return stage<Flight | undefined>({
    enter(run) {
      const { call, method } = run;
      if (call.isSignedOut || !isRead(method)) return undefined;
      const revalidation = questions.of(call);
      if (revalidation?.isBackground) return bound(run, run.level, { isBackground: true });
      const { request } = run;
      // Integrity is checked by the platform, on what comes from the network.
      const { mode, integrity } = request;
      if (isOwnValidation(request) || integrity || mode === 'no-cors' || mode === 'navigate')
        return undefined;
      const own = revalidation?.own ?? callOptions(call.options.staleCache);
      const wanted = parseRequestDirectives(request);
      const isServed = own.mode !== 'network-first' || wanted.forceCache || wanted.onlyIfCached !== undefined;
      const read: Read = { request, call, run, own, wanted, isServed };
      if (request.headers.has('range')) return part(run, read);
      const isSilent = allowsSilence(read) && silences.isSilent(call, own.respondAfter);
      return isSilent || looksFirst(read) || wanted.onlyIfCached
        ? look(run, read, isSilent)
        : send(run, read);
    },
    leave(run, flight) {
      if (!flight) return undefined;
      flight.isOver = true;
      letGo(flight);
      const { response, error } = run;
      const { read } = flight;
      if (flight.isServed || !read) return response && (() => drained(run, response));
      const outcome = response ? response.status : error;
      if (
        allowsFallback(
          read.call,
          response ?? error,
          response ? UNANSWERED.includes(response.status) : isUnreached(error),
        )
      )
        return async () => {
          const copy = await copyInstead({ ...read, run }, outcome);
          if (!copy) count(response);
          else {
            dropBody(response);
            run.response = copy;
          }
          return undefined;
        };
      count(response);
      return undefined;
    },
    settled(_, flight) {
      if (!flight) return;
      letGo(flight);
      flight.ended?.();
    },
  });
}

/** Gives a request up that no caller waits for, if there is no response in time. */
function bound(run: Run, level: number, flight: Flight): Flight {
  const { call } = run;
  const { release } = flight;
  const giveUp = (): void => run.abandon(lost(call, LOST), level);
  const cancel = call.host.clock.after(LOST, giveUp, { background: true });
  flight.release = () => {
    cancel();
    release?.();
  };
  return flight;
}

function letGo(flight: Flight): void {
  flight.release?.();
  flight.release = undefined;
}

/** Reads a body that no caller wants, for the part of the cache that stores it. */
function drained(run: Run, { body }: Response): Promise<undefined> {
  const { call } = run;
  const reader = body?.getReader();
  let error: unknown;
  const giveUp = (reason: unknown): void => {
    error = reason;
    reader?.cancel(reason).catch(() => {});
  };
  const read = async (): Promise<undefined> => {
    for (let isDone = !reader; !isDone; ) {
      const late = (): void => giveUp(lost(call, SILENT_BODY));
      const cancel = call.host.clock.after(SILENT_BODY, late, { background: true });
      const chunk = reader?.read().finally(cancel);
      isDone = (await chunk)?.done !== false;
    }
    if (error) throw error;
  };
  return run.wait(Infinity, read(), giveUp);
}

/** The response to a request that wants a cached response only, if there is none. @throws {NetworkError} for Fetch's own mode. */
function missing(read: Read): Response {
  // RFC 9111, 5.2.1.7; Fetch has a network error for its own way of saying it.
  if (read.wanted.onlyIfCached === '504')
    return new Response(null, { status: 504, statusText: 'Gateway Timeout' });
  const text = 'there is no cached response, and the request wants no other';
  throw new NetworkError(text, { ...factsOf(read), transient: false });
}

const isOffline = (read: Read): NetworkError => new NetworkError('the host is offline', factsOf(read));

const factsOf = ({ request, call: { id: callId, origin } }: Read) => ({ request, callId, origin });

const lost = ({ id: callId, origin }: Call, ms: number): TimeoutError =>
  new TimeoutError('total', ms, { callId, origin });

const isUnreached = (error: unknown): boolean =>
  isFailure(error) && (UNREACHED.includes(error.category) || isLocked(error));

/** There is no token just now, because its endpoint cannot be reached either. */
const isLocked = ({ category, transient }: Failure): boolean => category === 'auth' && transient;

export const isRead = (method: string): boolean => method === 'GET' || method === 'HEAD';
