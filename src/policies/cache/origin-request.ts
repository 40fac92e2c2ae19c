import { dropBody } from '../../core/body/body.ts';
import { type Call, type PipelineContext, PUBLIC } from '../../core/contract.ts';
import { type Leaving, type Run, type Stage, stage } from '../../core/stage.ts';
import { parseRequestDirectives, type RequestDirectives } from '../../http/cache-control.ts';
import { carriesCredentials } from '../../http/credentials.ts';
import { isSafe } from '../../http/reuse.ts';
import { isOriginFailure } from '../../http/status.ts';
import { isCrossOriginRedirect, isForbidden, isShareable, isStorable } from '../../http/storable.ts';
import { compareWithHead, conditionsOf, mergeHeaders, validates } from '../../http/validation.ts';
import { originOf } from '../../primitives/request.ts';
import { type Cache, emitCallEvent, isCurrentPartition } from './cache-context.ts';
import { afterWrite, clearPartition, clearsCache, invalidateUrls } from './invalidate.ts';
import { isSignOfLife } from './silence.ts';
import type { CachedResponse } from './store/entry.ts';
import { createResponseStorer, type RequestTimes } from './store-response.ts';

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
  const { store, guarded, silences, revalidations: questions } = cache;
  const isOwn = cache.settings.validators === 'own';
  const keep = createResponseStorer(cache);

  const storeResponse = (run: Run, response: Response, of: Exchange): void => {
    const { call, url } = run;
    if (of.revalidation.cached) emitCallEvent(call, { type: 'cache-revalidated', url, changed: true });
    if (!of.wanted.noStore) run.response = keep(run.pipeline, response, call, of);
  };

  /** Updates the cache after a response. */
  const learn = (run: Run, response: Response, of: Exchange): Leaving | undefined => {
    const { request } = of;
    const { call } = run;
    // What is stored for all stays: this response says nothing about it.
    if (isOfOneUser(cache, run.pipeline, request, response, call)) return undefined;
    if (isStorable(request, response)) {
      // A failure with an explicit lifetime does not take the place of the response that stands in for it.
      const isFailure = isOriginFailure(response.status) || response.status === 429;
      if (isFailure)
        return async () => {
          const cached = of.revalidation.cached ?? (await cache.find({ request, call, run }));
          if (!cached?.freshness.standsIn) storeResponse(run, response, of);
          return undefined;
        };
      storeResponse(run, response, of);
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

  /** RFC 9111, 4.3.3 and 4.3.4. */
  const confirm = async (run: Run, response: Response, of: Exchange): Promise<'repeat' | undefined> => {
    const { call, pipeline } = run;
    const { request, epoch, requestedAt, receivedAt } = of;
    const { headers } = response;
    const cached = of.revalidation.cached as CachedResponse;
    const asker = { request, call, run };
    const drop = () => guarded.tryNowIn('drop', run, () => store.drop(cached, receivedAt));
    let copied: Response | undefined;
    if (validates(cached.headers, headers, namesOf(cached))) {
      const copy = {
        ...cached.response,
        requestedAt,
        receivedAt,
        headers: mergeHeaders(cached.headers, headers),
      };
      const mayKeep = !isForbidden(headers) && !isOfOneUser(cache, pipeline, request, response, call);
      const fresh = await guarded.read('freshen', asker, () =>
        store.freshen(cached, copy, epoch, mayKeep && isCurrentPartition(pipeline, copy.partition)),
      );
      copied = fresh && (await cache.serve(fresh, asker, { confirmed: true }));
      if (!mayKeep) await drop();
    } else await drop();
    // It speaks of something else, or there is no body any more: the whole response is needed.
    if (!copied) return repeat(run, of, request);
    emitCallEvent(call, { type: 'cache-revalidated', url: request.url, changed: false });
    dropBody(response);
    run.response = copied;
    return undefined;
  };

  const get = (run: Run, response: Response, of: Exchange): Leaving | undefined => {
    if (response.status === 304 && !of.isRepeated) {
      if (of.isConditional) return () => confirm(run, response, of);
      // Chromium's cache may pass on the response to a condition of its own, where several ask at once and bodies break off: a
      // 304 for which there is no body. What the platform keeps is then left aside.
      const { request } = run;
      if (!isOwn && ['default', 'no-cache'].includes(request.cache))
        return async () => repeat(run, of, new Request(request, { cache: 'reload', signal: null }));
    }
    return learn(run, response, of);
  };

  /** RFC 9111, 4.3.5: the response to a HEAD updates the cached responses, too. */
  const head = (run: Run, response: Response, of: Exchange): Leaving | undefined => {
    const { request, epoch, requestedAt, receivedAt } = of;
    const { call, pipeline } = run;
    const { headers } = response;
    if (response.status !== 200 || of.wanted.noStore) return undefined;
    if (isOfOneUser(cache, pipeline, request, response, call)) return undefined;
    return async () => {
      const cached = await cache.find({ request, call, run });
      if (!cached) return undefined;
      const said = isForbidden(headers)
        ? 'forbidden'
        : compareWithHead(cached.headers, headers, namesOf(cached));
      const copy = {
        ...cached.response,
        requestedAt,
        receivedAt,
        headers: mergeHeaders(cached.headers, headers),
      };
      const works = {
        nothing: async () => {},
        forbidden: () => store.drop(cached, receivedAt),
        other: () => store.markDoubtful(call.partition, request.url, receivedAt),
        same: () => store.freshen(cached, copy, epoch, isCurrentPartition(pipeline, call.partition)),
      };
      await guarded.tryNowIn<unknown>('freshen', run, works[said]);
      return undefined;
    };
  };

  const left = (run: Run, of: Exchange | undefined): Leaving | undefined => {
    const { response, method } = run;
    if (!of) return isSafe(method) ? undefined : afterWrite(cache, run);
    return response && (method === 'HEAD' ? head : get)(run, response, of);
  };

  return stage<Exchange | undefined>({
    enter(run) {
      const { call } = run;
      const revalidation = questions.of(call);
      if (!revalidation) return undefined;
      const { request } = run;
      const { cached } = revalidation;
      const now = call.host.clock.now();
      run.call = questions.put(undefined, call, { emit: silences.watching(call) });
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
      return () =>
        run.wait(Number.POSITIVE_INFINITY, clearPartition(cache, call)).then(() => left(run, of)?.());
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
