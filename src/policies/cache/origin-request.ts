import { dropBody } from '../../core/body.ts';
import { type Call, type PipelineContext, PUBLIC } from '../../core/contract.ts';
import { originOf } from '../../core/origins.ts';
import { type Leaving, type Run, type Stage, stage } from '../../core/stage.ts';
import { carriesCredentials } from '../../http/credentials.ts';
import { isSafe } from '../../http/invalidation.ts';
import { isOriginFailure } from '../../http/status.ts';
import { isElsewhere, isForbidden, isShareable, isStorable } from '../../http/storable.ts';
import { conditionsOf, confirms, freshened, saidByHead } from '../../http/validation.ts';
import { type Wanted, wantedBy } from '../../http/wanted.ts';
import { type Desk, isOf, told } from './desk.ts';
import type { Held } from './entry.ts';
import { clear, clearsCache, outdate, written } from './invalidate.ts';
import { isSignOfLife } from './silence.ts';
import { type Asked, keeper } from './store-response.ts';

interface Exchange extends Asked {
  receivedAt: number;
  readonly wanted: Wanted;
  /** It was sent with conditions of this cache. */
  readonly isConditional: boolean;
  /** A 304 was of no use. */
  isRepeated: boolean;
}

/**
 * The part of the cache that knows the origin: conditions on the way out, copies on the way back. Several callers may share
 * one exchange.
 */
export function originRequest(desk: Desk): Stage {
  const { shelf, patience, silences, questions } = desk;
  const isOwn = desk.settings.validators === 'own';
  const keep = keeper(desk);

  const store = (run: Run, response: Response, of: Exchange): void => {
    const { call, url } = run;
    if (of.question.held) told(call, { type: 'cache-revalidated', url, changed: true });
    if (!of.wanted.noStore) run.response = keep(run.pipeline, response, call, of);
  };

  /** What a response says about copies. */
  const learn = (run: Run, response: Response, of: Exchange): Leaving | undefined => {
    const { request } = of;
    const { call } = run;
    // What is stored for all stays: this response says nothing about it.
    if (isOfOneUser(desk, run.pipeline, request, response, call)) return undefined;
    if (isStorable(request, response)) {
      // A failure with an explicit lifetime does not take the place of the response that stands in for it.
      const isFailure = isOriginFailure(response.status) || response.status === 429;
      if (isFailure)
        return async () => {
          const held = of.question.held ?? (await desk.find({ request, call, run }));
          if (!held?.terms.standsIn) store(run, response, of);
          return undefined;
        };
      store(run, response, of);
      return undefined;
    }
    // Gone is an answer, and so is what may not be kept: no older copy may say otherwise later. A captive portal's is none.
    return !isElsewhere(request, response) && [200, 404, 410].includes(response.status)
      ? () => outdate(desk, true, [run.url], call)
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
    const { request, moment, requestedAt, receivedAt } = of;
    const { headers } = response;
    const held = of.question.held as Held;
    const asker = { request, call, run };
    const drop = () => patience.soonIn('drop', run, () => shelf.drop(held, receivedAt));
    let copied: Response | undefined;
    if (confirms(held.headers, headers, namesOf(held))) {
      const copy = { ...held.copy, requestedAt, receivedAt, headers: freshened(held.headers, headers) };
      const mayKeep = !isForbidden(headers) && !isOfOneUser(desk, pipeline, request, response, call);
      const fresh = await patience.reading('freshen', asker, () =>
        shelf.freshen(held, copy, moment, mayKeep && isOf(pipeline, copy.partition)),
      );
      copied = fresh && (await desk.give(fresh, asker, { confirmed: true }));
      if (!mayKeep) await drop();
    } else await drop();
    // It speaks of something else, or there is no body any more: the whole response is needed.
    if (!copied) return repeat(run, of, request);
    told(call, { type: 'cache-revalidated', url: request.url, changed: false });
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

  /** RFC 9111, 4.3.5: what a HEAD says of the resource it says of the copies, too. */
  const head = (run: Run, response: Response, of: Exchange): Leaving | undefined => {
    const { request, moment, requestedAt, receivedAt } = of;
    const { call, pipeline } = run;
    const { headers } = response;
    if (response.status !== 200 || of.wanted.noStore) return undefined;
    if (isOfOneUser(desk, pipeline, request, response, call)) return undefined;
    return async () => {
      const held = await desk.find({ request, call, run });
      if (!held) return undefined;
      const said = isForbidden(headers) ? 'forbidden' : saidByHead(held.headers, headers, namesOf(held));
      const copy = { ...held.copy, requestedAt, receivedAt, headers: freshened(held.headers, headers) };
      const works = {
        nothing: async () => {},
        forbidden: () => shelf.drop(held, receivedAt),
        other: () => shelf.doubt(call.partition, request.url, receivedAt),
        same: () => shelf.freshen(held, copy, moment, isOf(pipeline, call.partition)),
      };
      await patience.soonIn<unknown>('freshen', run, works[said]);
      return undefined;
    };
  };

  const left = (run: Run, of: Exchange | undefined): Leaving | undefined => {
    const { response, method } = run;
    if (!of) return isSafe(method) ? undefined : written(desk, run);
    return response && (method === 'HEAD' ? head : get)(run, response, of);
  };

  return stage<Exchange | undefined>({
    enter(run) {
      const { call } = run;
      const question = questions.of(call);
      if (!question) return undefined;
      const { request } = run;
      const { held } = question;
      const now = call.host.clock.now();
      run.call = questions.put(undefined, call, { emit: silences.watching(call) });
      const wanted = wantedBy(request);
      const isAsked = held && isOwn && !wanted.reload && !held.copy.response.redirected;
      const conditions = isAsked ? conditionsOf(held.headers) : [];
      const isTheirs = !isOwn && (held !== undefined || shelf.isOutdated(call.partition, request.url));
      if (request.method === 'GET') ask(run, conditions, isTheirs);
      return {
        request,
        question,
        wanted,
        moment: shelf.moment,
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
      return () => run.wait(Number.POSITIVE_INFINITY, clear(desk, call)).then(() => left(run, of)?.());
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

const namesOf = ({ copy }: Held): string[] => copy.varying.map(([name]) => name);

/** Whether a response in the partition of all users may be meant for one of them. */
function isOfOneUser(
  { settings }: Desk,
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
