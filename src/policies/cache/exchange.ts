import type { Call, Handler, Home } from '../../core/contract.ts';
import { isSafe } from '../../http/invalidation.ts';
import { isOriginFailure } from '../../http/status.ts';
import { isElsewhere, isForbidden, isStorable } from '../../http/storable.ts';
import { conditionsOf, confirms, freshened, saidByHead } from '../../http/validation.ts';
import { wantedBy } from '../../http/wanted.ts';
import { askedBy } from './asking.ts';
import type { Held } from './copy.ts';
import { type Desk, isOf } from './desk.ts';
import { forgetAll, writer } from './invalidate.ts';
import { type Asked, type Keep, keeper } from './keep.ts';
import { isOfOneUser } from './shared.ts';

/**
 * What goes between the cache and the origin: conditions on the way out, copies on the way back. Several callers may
 * share one exchange.
 */
export function exchange(desk: Desk, next: Handler, home: Home): Handler {
  const get = getter(desk, next, home);
  const head = header(desk, next, home);
  const write = writer(desk, next);
  return (request, call) => {
    if (request.method === 'GET') return get(request, call);
    if (request.method === 'HEAD') return head(request, call);
    return isSafe(request.method) ? next(request, call) : write(request, call);
  };
}

function getter(desk: Desk, next: Handler, home: Home): Handler {
  const keep = keeper(desk, home);
  return async (request, given) => {
    const { held, isGiven, plain: call } = askedBy(given);
    const isOwn = desk.settings.validators === 'own';
    const isAsked = held && isOwn && !wantedBy(request).reload && !held.copy.response.redirected;
    const conditions = isAsked ? conditionsOf(held.headers) : [];
    const { moment } = desk.shelf;
    const requestedAt = call.host.clock.now();
    const asked = (): Asked => ({ moment, requestedAt, receivedAt: call.host.clock.now(), isGiven });
    const isTheirs = !isOwn && (held !== undefined || desk.shelf.isOutdated(call.partition, request.url));
    const response = await answered(next, asking(request, isTheirs, conditions), call, isOwn);
    if (response.status !== 304 || !held || conditions.length === 0)
      return learn(desk, home, keep, request, response, call, asked(), held);
    const confirmed = await confirm(desk, home, held, response, request, call, asked());
    // It speaks of something else, or there is no body any more: the whole answer is needed.
    return confirmed ?? learn(desk, home, keep, request, await next(request, call), call, asked(), held);
  };
}

/**
 * Chromium's cache may pass on the answer to a condition of its own, where several ask at once and bodies break off: a
 * 304 for which nobody has a body. What the platform keeps is then left aside.
 */
async function answered(next: Handler, request: Request, call: Call, isOwn: boolean): Promise<Response> {
  const response = await next(request, call);
  const isTheirs = response.status === 304 && !isOwn && ['default', 'no-cache'].includes(request.cache);
  return isTheirs ? next(new Request(request, { cache: 'reload', signal: null }), call) : response;
}

/**
 * The request as it is sent.
 *
 * @param isTheirs There is something to be confirmed, and the platform is to ask.
 */
function asking(request: Request, isTheirs: boolean, conditions: readonly [string, string][]): Request {
  if (conditions.length > 0) {
    const headers = new Headers(request.headers);
    for (const [name, value] of conditions) headers.set(name, value);
    return new Request(request, { headers, signal: null });
  }
  // The platform asks with conditions of its own, for which it needs no preflight.
  return isTheirs && request.cache === 'default'
    ? new Request(request, { cache: 'no-cache', signal: null })
    : request;
}

/** RFC 9111, 4.3.3 and 4.3.4. @returns `undefined` where the answer is not about this copy. */
async function confirm(
  desk: Desk,
  home: Home,
  held: Held,
  response: Response,
  request: Request,
  call: Call,
  { moment, requestedAt, receivedAt }: Asked,
): Promise<Response | undefined> {
  const { shelf, patience } = desk;
  const { headers } = response;
  const { host, id: callId, origin, emit } = call;
  const drop = () => patience.soon('drop', host, () => shelf.drop(held, receivedAt));
  const known = held.copy.varying.map(([name]) => name);
  if (!confirms(held.headers, headers, known)) {
    await drop();
    return undefined;
  }
  const copy = { ...held.copy, requestedAt, receivedAt, headers: freshened(held.headers, headers) };
  const mayKeep = !isForbidden(headers) && !isOfOneUser(desk, home, request, response, call);
  const fresh = await patience.reading('freshen', host, call.signal, () =>
    shelf.freshen(held, copy, moment, mayKeep && isOf(home, copy.partition)),
  );
  const copied = fresh && (await desk.give(fresh, request, call, { confirmed: true }));
  if (!mayKeep) await drop();
  if (copied) emit?.({ type: 'cache-revalidated', callId, origin, url: request.url, changed: false });
  return copied;
}

/** What an answer says about copies. */
async function learn(
  desk: Desk,
  home: Home,
  keep: Keep,
  request: Request,
  response: Response,
  call: Call,
  asked: Asked,
  held: Held | undefined,
): Promise<Response> {
  const { id: callId, origin, emit } = call;
  const { url } = request;
  // What is stored for all stays: this response says nothing about it.
  if (isOfOneUser(desk, home, request, response, call)) return response;
  if (isStorable(request, response)) {
    // A failure with an explicit lifetime does not take the place of the response that stands in for it.
    const isFailure = isOriginFailure(response.status) || response.status === 429;
    if (isFailure && (held ?? (await desk.find(request, call)))?.terms.standsIn) return response;
    if (held) emit?.({ type: 'cache-revalidated', callId, origin, url, changed: true });
    return wantedBy(request).noStore ? response : keep(request, response, call, asked);
  }
  // Gone is an answer, and so is what may not be kept: no older copy may say otherwise later. A captive portal's is none.
  if (!isElsewhere(request, response) && [200, 404, 410].includes(response.status))
    await forgetAll(desk, [url], call);
  return response;
}

/** RFC 9111, 4.3.5: what a HEAD says of the resource it says of the copies, too. */
function header(desk: Desk, next: Handler, home: Home): Handler {
  const { shelf, patience } = desk;
  return async (request, call) => {
    const { moment } = shelf;
    const { clock } = call.host;
    const requestedAt = clock.now();
    const response = await next(request, call);
    if (response.status !== 200 || isOfOneUser(desk, home, request, response, call)) return response;
    const held = !wantedBy(request).noStore && (await desk.find(request, call));
    if (!held) return response;
    const { headers } = response;
    const now = clock.now();
    const known = held.copy.varying.map(([name]) => name);
    const said = isForbidden(headers) ? 'forbidden' : saidByHead(held.headers, headers, known);
    const copy = { ...held.copy, requestedAt, receivedAt: now, headers: freshened(held.headers, headers) };
    const works = {
      nothing: async () => {},
      forbidden: () => shelf.drop(held, now),
      other: () => shelf.doubt(call.partition, request.url, now),
      same: () => shelf.freshen(held, copy, moment, isOf(home, call.partition)),
    };
    await patience.soon<unknown>('freshen', call.host, works[said]);
    return response;
  };
}
