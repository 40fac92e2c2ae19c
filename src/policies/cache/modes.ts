import { dropBody } from '../../core/body/body.ts';
import { createResponse, responseMetadata } from '../../core/body/response.ts';
import type { PipelineContext } from '../../core/contract.ts';
import { NetworkError } from '../../core/errors.ts';
import { allowsFallback, sourceOf } from '../../core/outcome.ts';
import { type Run, type Stage, stage } from '../../core/stage.ts';
import { isOwnValidation, parseRequestDirectives, type RequestDirectives } from '../../http/cache-control.ts';
import { type ByteRange, byteRange } from '../../http/range.ts';
import { type Reuse, reuseOf } from '../../http/reuse.ts';
import { type Category, isFailure } from '../../primitives/failure.ts';
import { memoized } from '../../primitives/validate.ts';
import { drained, limitBackground, revalidator, type Silences } from './background.ts';
import type { Asker, Cache, Revalidation, ServeReason } from './cache-context.ts';
import { type CallSettings, readCallOptions } from './options.ts';
import { type CachedResponse, isImmutable } from './store/entry.ts';

/** RFC 5861, 4: these count as no response. */
const UNANSWERED = [500, 502, 503, 504];

const UNREACHED: readonly Category[] = ['network', 'timeout', 'circuit-open', 'capacity', 'rate-limit'];

/** The cause of a cached response while the request is still under way. */
const SILENCE: ServeReason = { cause: 'silence', forwarded: true };

/** A read as the cache sees it. */
interface Read extends Asker {
  readonly wanted: RequestDirectives;
  readonly own: CallSettings;
  /** A fresh cached response is a response, and the origin need not be asked. */
  readonly isServed: boolean;
}

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

/** The stage that knows the caller: decides between the cached response and the origin. */
export function modes(cache: Cache, silences: Silences): Stage {
  const { revalidate, probe } = revalidator(cache, silences);
  const callOptions = memoized((own) => readCallOptions(own, cache.settings));

  /** Whether the cache is read before the request is sent. */
  const looksFirst = ({ wanted, isServed }: Read): boolean =>
    !wanted.noStore && !wanted.reload && (isServed || cache.settings.validators === 'own');

  /** How a cached response may be used. */
  const reuse = (cached: CachedResponse, { wanted, own: { mode, maxStale, disregard } }: Read): Reuse => {
    const { now } = cache;
    const { freshness, invalidated } = cached;
    const whileRevalidating = mode === 'stale-while-revalidate' ? maxStale : 0;
    // If the clock was set back, the age is unknown.
    const unconfirmed = cached.unconfirmed || now < freshness.receivedAt;
    const allowed = { maxStale, whileRevalidating, disregard };
    return reuseOf(freshness, now, wanted, allowed, { unconfirmed, invalidated });
  };

  /** The cached response that may take the place of the origin's. */
  const usable = async (read: Read): Promise<CachedResponse | undefined> => {
    const cached = read.wanted.noStore ? undefined : await cache.find(read);
    return cached && reuse(cached, read) !== 'when-confirmed' ? cached : undefined;
  };

  /** Serves a cached response, or the one that has replaced it in between. */
  const give = async (
    cached: CachedResponse | undefined,
    read: Read,
    why: ServeReason,
  ): Promise<Response | undefined> => {
    const response = cached && (await cache.serve(cached, read, why));
    if (!cached || response) return response;
    const next = await usable(read);
    return next && next.key !== cached.key ? cache.serve(next, read, why) : undefined;
  };

  /** Whether the origin's silence alone is a reason for a cached response. */
  const allowsSilence = ({ wanted, own }: Read): boolean =>
    own.respondAfter !== Infinity && !wanted.noStore && !wanted.noCache && !wanted.onlyIfCached;

  /** A response without a request. @param isSilent The origin is known to be. */
  const fromCached = async (
    pipeline: PipelineContext,
    read: Read,
    cached: CachedResponse,
    isSilent: boolean,
  ): Promise<Response | undefined> => {
    const { wanted, isServed } = read;
    const use = reuse(cached, read);
    const isBehind = use === 'while-revalidating' && isServed && !wanted.onlyIfCached;
    if (isBehind || (use === 'as-is' && (isServed || isImmutable(cached)))) {
      const response = await cache.serve(cached, read);
      if (response && isBehind) revalidate(pipeline, cached, read);
      return response;
    }
    if (!isSilent || use === 'when-confirmed' || cached.invalidated) return undefined;
    const response = await give(cached, read, { cause: 'silence' });
    if (response) probe(pipeline, cached, read);
    return response;
  };

  /**
   * Responds to a request for a part from a complete response that is fresh (RFC 9111, 3.3), in the modes in which a fresh one needs no
   * network. All others are the origin's; no part is stored.
   */
  const part = async (read: Read): Promise<Response | undefined> => {
    const { request, wanted, isServed } = read;
    if (request.method !== 'GET' || wanted.noStore || wanted.reload) return undefined;
    const cached = await cache.find(read);
    // The bytes of a part are counted in the coding, which the platform has taken off.
    if (cached?.response.response.status !== 200 || cached.headers.has('content-encoding')) return undefined;
    if (reuse(cached, read) !== 'as-is' || !(isServed || isImmutable(cached))) return undefined;
    const range = byteRange(request.headers.get('range') ?? '', cached.size);
    const whole = range && (await cache.serve(cached, read));
    return whole && partOf(whole, range, cached.size);
  };

  const look = async (run: Run, read: Read, isSilent: boolean): Promise<Flight | undefined> => {
    const isPart = read.request.headers.has('range');
    let cached: CachedResponse | undefined;
    const lookUp = async (): Promise<Response | undefined> => {
      if (isPart) return part(read);
      if (isSilent || looksFirst(read)) cached = await cache.find(read);
      return cached && fromCached(run.pipeline, read, cached, isSilent);
    };
    run.response = await run.wait(Infinity, lookUp());
    if (!run.response && read.wanted.onlyIfCached) run.response = missing(read);
    return run.response || isPart ? undefined : send(run, read, cached);
  };

  /** @param cached The cached response to revalidate. */
  const send = (run: Run, read: Read, cached?: CachedResponse): Flight | Promise<Flight | undefined> =>
    read.wanted.noStore || read.call.host.connectivity.state
      ? launch(run, read, cached)
      : offline(run, read, cached);

  /** Nothing is sent if there is a usable cached response: further in, a retry would wait for a network. */
  const offline = async (run: Run, read: Read, cached?: CachedResponse): Promise<Flight | undefined> => {
    const { call } = read;
    const found = await run.wait(Infinity, usable(read));
    if (!found || call.host.connectivity.state) return launch(run, read, cached);
    const error = isOffline(read);
    if (allowsFallback(call, error, true))
      run.response = await run.wait(Infinity, give(found, read, { cause: error }));
    if (run.response) return undefined;
    throw error;
  };

  const launch = (run: Run, read: Read, cached: CachedResponse | undefined): Flight => {
    const { call, wanted, own } = read;
    const { level } = run;
    const { clock, connectivity } = call.host;
    const flight: Flight = { read, cached };
    const standsIn = (): Promise<boolean> => usable(read).then((found) => !!found && !flight.isServed);
    run.call = cache.withRevalidation(flight, call, { standsIn });
    if (wanted.noStore) return flight;
    flight.release = connectivity.subscribe(async (isUp) => {
      if (!isUp && (await standsIn()) && !flight.isOver && !connectivity.state)
        run.abandon(isOffline(read), level);
    });
    if (!allowsSilence(read)) return flight;
    const { generation } = cache.store;
    const sentAt = clock.ticks();
    const silent = async (): Promise<void> => {
      // Only now: a request is not to wait for the store.
      const found = await usable(read);
      const response = found?.invalidated ? undefined : await give(found, read, SILENCE);
      if (!found || !response || flight.isOver || cache.store.wasDeleted(found.response, generation))
        return dropBody(response);
      flight.isServed = true;
      const ended = silences.goesOn(call, sentAt);
      const work = new Promise<void>((resolve) => {
        flight.ended = resolve;
      });
      call.waitUntil(work.then(ended));
      const { release } = flight;
      const cancel = limitBackground(run, level);
      flight.release = () => {
        cancel();
        release?.();
      };
      run.respondEarly(response, level);
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
      const revalidation = cache.revalidationOf(call);
      if (revalidation?.isBackground) return { release: limitBackground(run, run.level) };
      const { request } = run;
      // Only the platform checks integrity, and only of network responses.
      const { mode, integrity } = request;
      if (isOwnValidation(request) || integrity || mode === 'no-cors' || mode === 'navigate')
        return undefined;
      const own = revalidation?.own ?? callOptions(call.options.staleCache);
      const wanted = parseRequestDirectives(request);
      const isServed = own.mode !== 'network-first' || wanted.forceCache || wanted.onlyIfCached !== undefined;
      const read: Read = { request, call, own, wanted, isServed };
      const isSilent = allowsSilence(read) && silences.isSilent(call, own.respondAfter);
      return isSilent || looksFirst(read) || wanted.onlyIfCached || request.headers.has('range')
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
      const isFailed = response ? UNANSWERED.includes(response.status) : isUnreached(error);
      if (!allowsFallback(read.call, response ?? error, isFailed)) return count(response);
      return async () => {
        const why = { cause: response?.status ?? error, forwarded: read.call.attempts.length > 0 };
        const instead = await run.wait(
          Infinity,
          usable(read).then((cached) => give(cached, read, why)),
        );
        if (instead) {
          dropBody(response);
          run.response = instead;
        } else count(response);
        return undefined;
      };
    },
    settled(_, flight) {
      if (!flight) return;
      letGo(flight);
      flight.ended?.();
    },
  });
}

function letGo(flight: Flight): void {
  flight.release?.();
  flight.release = undefined;
}

/** A part of a response (RFC 9110, 14.2). @param size Of the whole body, in bytes. */
async function partOf(whole: Response, { first, last }: ByteRange, size: number): Promise<Response> {
  const part = (await whole.blob()).slice(first, last + 1, whole.headers.get('content-type') ?? '');
  const headers = new Headers(whole.headers);
  headers.set('content-range', `bytes ${first}-${last}/${size}`);
  headers.set('content-length', `${part.size}`);
  const metadata = { ...responseMetadata(whole), status: 206, statusText: 'Partial Content' };
  return createResponse(part, metadata, headers);
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

const isUnreached = (error: unknown): boolean =>
  isFailure(error) &&
  // A transient failure of `auth`: the token endpoint cannot be reached either.
  (UNREACHED.includes(error.category) || (error.category === 'auth' && error.transient));

export const isRead = (method: string): boolean => method === 'GET' || method === 'HEAD';
