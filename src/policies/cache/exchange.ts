import { watchBody } from '../../core/body.ts';
import type { Call, Handler, Home } from '../../core/contract.ts';
import { facts } from '../../core/rebuild.ts';
import { invalidatedBy, isSafe } from '../../http/invalidation.ts';
import { isOriginFailure } from '../../http/status.ts';
import { isStorable, keptHeaders, leastSize } from '../../http/storable.ts';
import { conditionsOf, confirms, freshened, saidByHead } from '../../http/validation.ts';
import { varying } from '../../http/vary.ts';
import { type Wanted, wantedBy } from '../../http/wanted.ts';
import { Collector } from './collect.ts';
import type { Copy, Held } from './copy.ts';
import { type Desk, isOf } from './desk.ts';
import { isFull } from './full.ts';
import { READ } from './patience.ts';

/** The copy that a request is to validate, where it has been looked up already. */
export type Found = WeakMap<Request, Held>;

/**
 * What goes between the cache and the origin: conditions on the way out, copies on the way back. Several callers may
 * share one exchange.
 */
export function exchange(desk: Desk, next: Handler, home: Home, found: Found): Handler {
  const { shelf, patience, settings } = desk;

  const get = async (request: Request, call: Call): Promise<Response> => {
    const wanted = wantedBy(request);
    const held = found.get(request);
    const isOwn = settings.validators === 'own';
    const conditions =
      held && isOwn && !wanted.reload && !held.copy.response.redirected ? conditionsOf(held.headers) : [];
    const asked = shelf.moment;
    const requestedAt = call.host.clock.now();
    const response = await next(asking(request, held, isOwn, conditions), call);
    const times = { requestedAt, receivedAt: call.host.clock.now() };
    if (response.status === 304 && held && conditions.length > 0) {
      const confirmed = await confirmedBy(response, held, request, call, times, asked);
      if (confirmed) return confirmed;
      // It speaks of something else, or there is no body any more: the whole answer is needed.
      return learn(request, await next(request, call), call, wanted, times, asked, held);
    }
    return learn(request, response, call, wanted, times, asked, held);
  };

  const confirmedBy = async (
    { headers }: Response,
    held: Held,
    request: Request,
    call: Call,
    times: Times,
    asked: number,
  ): Promise<Response | undefined> => {
    const { host, waitUntil } = call;
    const known = held.copy.varying.map(([name]) => name);
    if (!confirms(held.headers, headers, known)) {
      waitUntil(patience.writing('drop', host, () => shelf.drop(held, times.receivedAt)));
      return undefined;
    }
    const copy: Copy = { ...held.copy, ...times, headers: freshened(held.headers, headers) };
    const fresh = await patience.reading('freshen', host, call.signal, () =>
      shelf.freshen(held, copy, asked, isOf(home, copy.partition)),
    );
    const response = fresh && (await desk.give(fresh, request, call, { confirmed: true }));
    if (response) revalidated(request, call, false);
    return response;
  };

  /** What an answer says about copies. */
  const learn = (
    request: Request,
    response: Response,
    call: Call,
    wanted: Wanted,
    times: Times,
    asked: number,
    held: Held | undefined,
  ): Response | Promise<Response> => {
    if (isStorable(request, response)) {
      if (held) revalidated(request, call, true);
      if (!wanted.noStore) keep(request, response, call, times, asked);
      return response;
    }
    // Gone is an answer, and so is what may not be kept: no older copy may say otherwise later.
    const { status } = response;
    const isAnswer = status === 200 || status === 404 || status === 410;
    return isAnswer ? forgetting([request.url], call, response) : response;
  };

  /** Collects the body as the caller reads it, and keeps it once it is whole. */
  const keep = (request: Request, response: Response, call: Call, times: Times, asked: number): void => {
    const { partition } = call;
    const { url } = request;
    // Sent with whoever's cookies the browser had then: not for the partition of someone else.
    const isOther = !isOf(home, partition);
    const least = leastSize(response);
    if (isOther || least > settings.maxEntryBytes) {
      desk.discarded(isOther ? 'other-user' : 'too-large', url);
      return;
    }
    // Taken now: whoever holds on to the response keeps it from being collected.
    const copy: Copy = {
      partition,
      url,
      ...times,
      response: facts(response),
      headers: keptHeaders(response.headers),
      varying: varying(response.headers.get('vary'), request, settings.vary),
    };
    const body = new Collector(settings.maxEntryBytes);
    watchBody(response, {
      chunk: (bytes) => body.add(bytes),
      settled(how) {
        if (how !== 'ended' && how !== 'none') return;
        if (body.isTooLarge || body.size < least) {
          desk.discarded(body.isTooLarge ? 'too-large' : 'incomplete', url);
          return;
        }
        call.waitUntil(patience.writing('keep', call.host, () => store(copy, body, call, asked)));
      },
    });
  };

  const store = async (copy: Copy, body: Collector, call: Call, asked: number): Promise<void> => {
    const { id: callId, origin, emit, host } = call;
    const whole = body.whole();
    const put = () => shelf.keep(copy, whole, body.size, callId, asked, host.clock.now());
    const gone = await put().catch(async (error) => {
      if (!isFull(error)) throw error;
      const room = await shelf.limits.giveUpAQuarter();
      desk.evicted(room);
      if (room.entries === 0) throw error;
      return put();
    });
    if (!gone) return;
    desk.stats.stored++;
    emit?.({ type: 'cache-stored', callId, origin, url: copy.url, bytes: body.size });
    desk.evicted(gone);
  };

  const revalidated = ({ url }: Request, { id: callId, origin, emit }: Call, changed: boolean): void =>
    emit?.({ type: 'cache-revalidated', callId, origin, url, changed });

  /** RFC 9111, 4.3.5: what it says of the resource it says of the copies, too. */
  const head = async (request: Request, call: Call): Promise<Response> => {
    const asked = shelf.moment;
    const requestedAt = call.host.clock.now();
    const response = await next(request, call);
    const held = response.status === 200 && !wantedBy(request).noStore && (await desk.find(request, call));
    if (!held) return response;
    const { clock } = call.host;
    const times = { requestedAt, receivedAt: clock.now() };
    const said = saidByHead(held.headers, response.headers);
    if (said === 'nothing') return response;
    const work =
      said === 'other'
        ? () => shelf.doubt(call.partition, request.url, clock.now())
        : () => {
            const headers = freshened(held.headers, response.headers);
            return shelf.freshen(
              held,
              { ...held.copy, ...times, headers },
              asked,
              isOf(home, call.partition),
            );
          };
    await patience.writing<unknown>('freshen', call.host, work, READ);
    return response;
  };

  /** RFC 9111, 4.4: what changes a resource makes its copies wrong. */
  const write = async (request: Request, call: Call): Promise<Response> => {
    try {
      const response = await next(request, call);
      const { status } = response;
      if (status < 400) return await forgetting(invalidatedBy(request, response), call, response);
      if (isOriginFailure(status)) await doubt(request, call);
      return response;
    } catch (error) {
      // It may have been carried out all the same.
      if (call.attempts.length > 0) await doubt(request, call);
      throw error;
    }
  };

  const doubt = (request: Request, call: Call): Promise<void> =>
    patience.writing(
      'doubt',
      call.host,
      () => shelf.doubt(call.partition, request.url, call.host.clock.now()),
      READ,
    );

  const forgetting = async (urls: readonly string[], call: Call, response: Response): Promise<Response> => {
    const { host, partition, emit } = call;
    await Promise.all(
      urls.map(async (url) => {
        const entries = await patience.writing(
          'forget',
          host,
          () => shelf.forget(partition, url, host.clock.now()),
          READ,
        );
        if (entries) emit?.({ type: 'cache-forgotten', url, partition, entries });
      }),
    );
    return response;
  };

  return (request, call) => {
    if (request.method === 'GET') return get(request, call);
    if (request.method === 'HEAD') return head(request, call);
    return isSafe(request.method) ? next(request, call) : write(request, call);
  };
}

type Times = Pick<Copy, 'requestedAt' | 'receivedAt'>;

/** The request as it is sent, where there is a copy to ask about. */
function asking(
  request: Request,
  held: Held | undefined,
  isOwn: boolean,
  conditions: readonly [string, string][],
): Request {
  if (!held) return request;
  if (conditions.length > 0) {
    const headers = new Headers(request.headers);
    for (const [name, value] of conditions) headers.set(name, value);
    return new Request(request, { headers, signal: null });
  }
  // The platform asks with conditions of its own, for which it needs no preflight.
  return isOwn || request.cache !== 'default'
    ? request
    : new Request(request, { cache: 'no-cache', signal: null });
}
