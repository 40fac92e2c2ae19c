import { dropBody } from '../../core/body/body.ts';
import { type Call, type PipelineContext, PUBLIC } from '../../core/contract.ts';
import { type Leaving, type Run, type Stage, stage } from '../../core/stage.ts';
import { parseRequestDirectives, type RequestDirectives } from '../../http/cache-control.ts';
import { carriesCredentials } from '../../http/credentials.ts';
import { isSafe } from '../../http/idempotency.ts';
import { isOriginFailure } from '../../http/status.ts';
import { isCrossOriginRedirect, isForbidden, isShareable, isStorable } from '../../http/storable.ts';
import { compareWithHead, conditionsOf, mergeHeaders, validates } from '../../http/validation.ts';
import { originOf } from '../../primitives/request.ts';
import { type Cache, emitCallEvent, isCurrentPartition } from './cache-context.ts';
import { afterWrite, clearsCache, invalidateUrls } from './invalidate.ts';
import { isSignOfLife } from './silence.ts';
import type { CachedResponse } from './store/entry.ts';
import { createResponseStorer, type RequestTimes } from './store-response.ts';

/** A read that the cache asks the origin for. */
interface Exchange extends RequestTimes {
  receivedAt: number;
  readonly wanted: RequestDirectives;
  /** It was sent with conditions of this cache. */
  readonly isConditional: boolean;
  /** A 304 was of no use. */
  isRepeated: boolean;
}

/**
 * The part of the cache that knows the origin: conditional requests, and storing responses. Several callers may share one
 * exchange.
 */
export function originRequest(cache: Cache): Stage {
  const { store, guarded, silences } = cache;
  const isOwn = cache.settings.validators === 'own';
  const storeResponse = createResponseStorer(cache);

  const keep = (run: Run, response: Response, of: Exchange): void => {
    const { call, url } = run;
    if (of.revalidation.cached) emitCallEvent(call, { type: 'cache-revalidated', url, changed: true });
    if (!of.wanted.noStore) run.response = storeResponse(run.pipeline, response, call, of);
  };

  /** Updates the cache after a response. */
  const learn = (run: Run, response: Response, of: Exchange): Leaving | undefined => {
    const { request } = of;
    const { call } = run;
    if (isStorable(request, response)) {
      // A failure with an explicit lifetime does not take the place of the response that stands in for it.
      if (isOriginFailure(response.status) || response.status === 429)
        return async () => {
          const cached = of.revalidation.cached ?? (await run.wait(Infinity, cache.find({ request, call })));
          if (!cached?.freshness.standsIn) keep(run, response, of);
          return undefined;
        };
      keep(run, response, of);
      return undefined;
    }
    // Also a 404, 410 or unstorable response replaces older ones. That of a captive portal does not.
    return !isCrossOriginRedirect(request, response) && [200, 404, 410].includes(response.status)
      ? () => invalidateUrls(cache, true, [run.url], call)
      : undefined;
  };

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
    { epoch, requestedAt, receivedAt }: Exchange,
    mayKeep = true,
  ): Promise<CachedResponse> => {
    const merged = mergeHeaders(cached.headers, headers);
    const copy = { ...cached.response, requestedAt, receivedAt, headers: merged };
    return store.freshen(cached, copy, epoch, mayKeep && isCurrentPartition(run.pipeline, copy.partition));
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
    const isValid = validates(cached.headers, response.headers, namesOf(cached));
    const mayKeep =
      !isForbidden(response.headers) && !isOfOneUser(cache, run.pipeline, request, response, call);
    const fresh =
      isValid && (await guarded.read('freshen', () => freshen(run, cached, response, of, mayKeep)));
    const copy = fresh ? await cache.serve(fresh, { request, call }, { confirmed: true }) : undefined;
    if (!isValid || !mayKeep) await guarded.attempt('drop', () => store.drop(cached));
    return copy;
  };

  const confirm = async (run: Run, response: Response, of: Exchange): Promise<'repeat' | undefined> => {
    const { request } = of;
    const cached = of.revalidation.cached as CachedResponse;
    const copy = await run.wait(Infinity, confirmed(run, response, of, cached));
    // It speaks of something else, or there is no body any more: the whole response is needed.
    if (!copy) return repeat(run, of, request);
    emitCallEvent(run.call, { type: 'cache-revalidated', url: request.url, changed: false });
    dropBody(response);
    run.response = copy;
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
    return isOfOneUser(cache, run.pipeline, of.request, response, run.call)
      ? undefined
      : learn(run, response, of);
  };

  /** RFC 9111, 4.3.5: the response to a HEAD updates the cached responses, too. */
  const head = (run: Run, response: Response, of: Exchange): Leaving | undefined => {
    const { request } = of;
    const { call } = run;
    const { headers, status } = response;
    if (status !== 200 || of.wanted.noStore) return undefined;
    if (isOfOneUser(cache, run.pipeline, request, response, call)) return undefined;
    const update = async (): Promise<unknown> => {
      const cached = await cache.find({ request, call });
      if (!cached) return undefined;
      if (isForbidden(headers)) return store.drop(cached);
      const said = compareWithHead(cached.headers, headers, namesOf(cached));
      if (said === 'other') return store.doubt(call.partition, request.url);
      return said === 'same' ? freshen(run, cached, response, of) : undefined;
    };
    return () => run.wait(Infinity, guarded.attempt('freshen', update)) as Promise<undefined>;
  };

  const left = (run: Run, of: Exchange | undefined): Leaving | undefined => {
    const { response, method } = run;
    if (!of) return isSafe(method) ? undefined : afterWrite(cache, run);
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
      run.call = cache.withRevalidation(undefined, call, { emit: silences.watching(call) });
      const wanted = parseRequestDirectives(request);
      const isAsked = cached && isOwn && !wanted.reload && !cached.response.response.redirected;
      const conditions = isAsked ? conditionsOf(cached.headers) : [];
      const isTheirs = !isOwn && (cached !== undefined || store.isOutdated(call.partition, request.url));
      if (request.method === 'GET') ask(run, conditions, isTheirs);
      return {
        request,
        revalidation,
        wanted,
        epoch: store.epoch,
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

const namesOf = ({ response: copy }: CachedResponse): string[] => copy.varying.map(([name]) => name);

/** Whether a response in the partition of all users may be meant for one of them. */
function isOfOneUser(
  { settings }: Cache,
  pipeline: PipelineContext,
  request: Request,
  { headers, url }: Response,
  call: Call,
): boolean {
  if (call.partition !== PUBLIC) return false;
  const ignored = settings.shared === 'ignore-authorization' ? 'authorization' : undefined;
  const origins = [request.url, url].filter(Boolean).map(originOf);
  const isAuthorized =
    call.transport !== undefined ||
    [...request.headers.keys()].some(carriesCredentials) ||
    pipeline
      .credentials(call.options)
      .some((each) => origins.some((origin) => each.origins.includes(origin)));
  // Only browsers have cookies to include; elsewhere some engines say so of every request.
  const hasCookies =
    request.headers.has('cookie') || (request.credentials === 'include' && globalThis.location !== undefined);
  return !isShareable(headers, hasCookies || (isAuthorized && !ignored), ignored);
}
