import { dropBody } from '../../core/body/body.ts';
import type { Call } from '../../core/contract.ts';
import { type Leaving, type Run, type Stage, stage } from '../../core/stage.ts';
import { parseRequestDirectives } from '../../http/cache-control.ts';
import { isSafe } from '../../http/idempotency.ts';
import { isOriginFailure } from '../../http/status.ts';
import { isCrossOriginRedirect, isForbidden } from '../../http/storable.ts';
import { compareWithHead, conditionsOf, mergeHeaders, validates } from '../../http/validation.ts';
import { isSignOfLife, type Silences } from './background.ts';
import { type Cache, emitCallEvent, isStillUserOf } from './cache-context.ts';
import type { CachedResponse } from './store/entry.ts';
import { createResponseStorer, type Exchange, invalidateUrls, isOfOneUser } from './store-response.ts';

/**
 * The part of the cache that knows the origin: conditional requests, and the effect of responses on cached ones. Several callers may
 * share one exchange.
 */
export function originRequest(cache: Cache, silences: Silences): Stage {
  const { store, guarded, settings } = cache;
  const isOwn = settings.validators === 'own';
  const learn = createResponseStorer(cache);

  const repeat = (run: Run, of: Exchange, request: Request): 'repeat' => {
    dropBody(run.response);
    of.isRepeated = true;
    run.request = request;
    return 'repeat';
  };

  /** Takes over the headers of a response that confirms a cached one. */
  const freshen = (
    run: Run,
    cached: CachedResponse,
    { headers }: Response,
    { generation, requestedAt, receivedAt }: Exchange,
    mayKeep = true,
  ): Promise<CachedResponse> => {
    const merged = mergeHeaders(cached.headers, headers);
    const stored = { ...cached.response, requestedAt, receivedAt, headers: merged };
    return store.freshen(cached, stored, generation, mayKeep && isStillUserOf(run.pipeline, run.call));
  };

  /** RFC 9111, 4.3.3 and 4.3.4. @returns the cached response, if the 304 speaks of it and it has a body. */
  const confirmed = async (
    run: Run,
    response: Response,
    of: Exchange,
    cached: CachedResponse,
  ): Promise<Response | undefined> => {
    const { call } = run;
    const { request } = of;
    // After a redirect it speaks of another resource, with tags of its own.
    const isValid = !response.redirected && validates(cached.headers, response.headers, namesOf(cached));
    const mayKeep = !isForbidden(response.headers) && !isOfOneUser(settings, run, request, response);
    const fresh =
      isValid && (await guarded.read('freshen', () => freshen(run, cached, response, of, mayKeep)));
    const stored = fresh ? await cache.serve(fresh, { request, call }, { confirmed: true }) : undefined;
    if (!isValid || !mayKeep) await guarded.attempt('drop', () => store.drop(cached));
    return stored;
  };

  const confirm = async (run: Run, response: Response, of: Exchange): Promise<'repeat' | undefined> => {
    const { request } = of;
    const cached = of.revalidation.cached as CachedResponse;
    const stored = await run.wait(Infinity, confirmed(run, response, of, cached));
    // It speaks of something else, or there is no body any more: the whole response is needed.
    if (!stored) return repeat(run, of, request);
    emitCallEvent(run.call, { type: 'cache-revalidated', url: request.url, changed: false });
    dropBody(response);
    run.response = stored;
    return undefined;
  };

  const get = (run: Run, response: Response, of: Exchange): Leaving | undefined => {
    if (response.status === 304 && !of.isRepeated) {
      if (of.isConditional) return () => confirm(run, response, of);
      // Chromium's cache may pass on the response to a condition of its own, where several ask at once and bodies break off: a
      // 304 for which there is no body. Bypass the platform's cache then.
      const { request } = run;
      if (!isOwn && ['default', 'no-cache'].includes(request.cache))
        return async () => repeat(run, of, new Request(request, { cache: 'reload', signal: null }));
    }
    // Responses stored for all users stay: a response to one user does not concern them.
    return isOfOneUser(settings, run, of.request, response) ? undefined : learn(run, response, of);
  };

  /** RFC 9111, 4.3.5: the response to a HEAD updates the cached responses, too. */
  const head = (run: Run, response: Response, of: Exchange): Leaving | undefined => {
    const { request } = of;
    const { call } = run;
    const { headers, status } = response;
    if (status !== 200 || of.wanted.noStore || isOfOneUser(settings, run, request, response))
      return undefined;
    // A captive portal speaks of no cached response.
    if (isCrossOriginRedirect(request, response)) return undefined;
    const update = async (): Promise<unknown> => {
      const cached = await cache.find({ request, call });
      if (!cached) return undefined;
      if (isForbidden(headers)) return store.drop(cached);
      const said = compareWithHead(cached.headers, headers, namesOf(cached));
      if (said === 'other') return store.markUnconfirmed(call.partition, request.url);
      return said === 'same' ? freshen(run, cached, response, of) : undefined;
    };
    return () => run.wait(Infinity, guarded.attempt('freshen', update)) as Promise<undefined>;
  };

  /** RFC 9111, 4.4: a write invalidates the cached responses of its URL. */
  const written = (run: Run): Leaving | undefined => {
    const { call, request, response } = run;
    // A redirect that the platform does not let us see has a status of 0.
    if (response && response.status < 400) {
      const isGone = request.method === 'DELETE' || settings.invalidated === 'drop';
      return () => invalidateUrls(cache, isGone, invalidatedBy(request, response), call);
    }
    // The origin may have processed a write that failed, also if only its first attempts have.
    const isUnsure = response
      ? call.attempts.some(({ status = 500 }) => isOriginFailure(status))
      : run.isSent || call.attempts.length > 0;
    if (!isUnsure) return undefined;
    // Begun now: if the caller has gone, the stage does no work.
    const done = guarded.inBackground('mark', () => store.markUnconfirmed(call.partition, run.url));
    return () => guarded.waitFor('mark', done) as Promise<undefined>;
  };

  /** Watches the attempts of a read, also those that a policy further in repeats. */
  const watching =
    (call: Call): Call['emit'] =>
    (event) => {
      if (event.type === 'attempt-ended' && isSignOfLife(event)) silences.alive(call);
      call.emit?.(event);
    };

  const left = (run: Run, of: Exchange | undefined): Leaving | undefined => {
    const { response, method } = run;
    if (!of) return isSafe(method) ? undefined : written(run);
    return response && (method === 'HEAD' ? head : get)(run, response, of);
  };

  return stage<Exchange | undefined>({
    enter(run) {
      const { call } = run;
      const revalidation = cache.revalidationOf(call);
      if (!revalidation) return undefined;
      const { request } = run;
      const { cached } = revalidation;
      const now = call.host.clock.now();
      run.call = cache.withRevalidation(undefined, call, { emit: watching(call) });
      const wanted = parseRequestDirectives(request);
      const isAsked = cached && isOwn && !wanted.reload && !cached.response.response.redirected;
      const conditions = isAsked ? conditionsOf(cached.headers) : [];
      const isTheirs = !isOwn && (cached !== undefined || store.isOutdated(call.partition, request.url));
      if (request.method === 'GET') ask(run, conditions, isTheirs);
      return {
        request,
        revalidation,
        wanted,
        generation: store.generation,
        requestedAt: now,
        receivedAt: now,
        isConditional: conditions.length > 0,
        isRepeated: false,
      };
    },
    leave(run, of) {
      const { response, call } = run;
      if (of) of.receivedAt = call.host.clock.now();
      if (response || (!of && isAlive(call))) silences.alive(call);
      if (call.isSignedOut) return undefined;
      if (!response || !clearsCache(response)) return left(run, of);
      const clear = () => guarded.attempt('clear', () => store.delete(call.partition));
      return () => run.wait(Infinity, clear()).then(() => left(run, of)?.());
    },
  });
}

/** @param isTheirs There is something to be confirmed, and the platform is to ask. */
function ask(run: Run, conditions: readonly [string, string][], isTheirs: boolean): void {
  const { request } = run;
  if (conditions.length > 0) {
    const headers = new Headers(request.headers);
    for (const [name, value] of conditions) headers.set(name, value);
    run.request = new Request(request, { headers, signal: null });
  } else if (isTheirs && request.cache === 'default')
    // The platform asks with conditions of its own, for which it needs no preflight.
    run.request = new Request(request, { cache: 'no-cache', signal: null });
}

/** The call has failed, and its last attempt has shown that requests do not hang. */
function isAlive({ attempts }: Call): boolean {
  const last = attempts.at(-1);
  return last !== undefined && isSignOfLife(last);
}

const namesOf = ({ response: stored }: CachedResponse): string[] => stored.varying.map(([name]) => name);

/** The origin asks for the end of all that is stored (https://www.w3.org/TR/clear-site-data/). */
const clearsCache = ({ headers }: Response): boolean =>
  /"(cache|storage|\*)"/.test(headers.get('clear-site-data') ?? '');

/**
 * The URLs of which a write invalidates the cached responses (RFC 9111, 4.4): its own, where redirects led it, and those that its
 * response names, where they are of the same origin.
 */
export function invalidatedBy(request: Request, response: Response): string[] {
  // `response.url` counts only after a redirect: otherwise a policy has sent the request to a mirror.
  const base = (response.redirected && response.url) || request.url;
  const urls = new Set([request.url, base]);
  for (const field of ['location', 'content-location']) {
    const named = response.headers.get(field);
    if (!named || !URL.canParse(named, base)) continue;
    const url = new URL(named, base);
    if (url.origin === new URL(base).origin) urls.add(url.href);
  }
  return [...urls];
}
