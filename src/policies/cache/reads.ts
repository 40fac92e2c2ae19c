import { type Aborter, aborter, follow } from '../../core/abort.ts';
import { drain, dropBody, watchBody } from '../../core/body.ts';
import type { Call, Handler, Home } from '../../core/contract.ts';
import { type Category, type Failure, isFailure, NetworkError } from '../../core/errors.ts';
import { mayAnswer } from '../../core/instead.ts';
import { sourceOf } from '../../core/source.ts';
import type { Wanted } from '../../http/wanted.ts';
import { asking } from './asking.ts';
import type { Held } from './copy.ts';
import type { Desk } from './desk.ts';
import type { CallSettings } from './options.ts';
import type { Revalidator } from './revalidate.ts';
import type { Why } from './serve.ts';
import { bounded } from './silence.ts';

/** RFC 5861, 4: these mean the same as no answer. */
const UNANSWERED = [500, 502, 503, 504];

const UNREACHED: readonly Category[] = ['network', 'timeout', 'circuit-open', 'capacity', 'rate-limit'];

/** Why a copy is given while the origin is still being asked. */
const SILENCE: Why = { cause: 'silence', forwarded: true };

/** A read as the cache sees it. */
export interface Read {
  readonly request: Request;
  readonly call: Call;
  readonly wanted: Wanted;
  readonly own: CallSettings;
}

/** A request that was sent for a read. */
interface Flight {
  readonly inner: Aborter;
  /** The caller has been given a copy, because there was no response. */
  isGiven: boolean;
  /** Lets go of the caller's signal. */
  unfollow(): void;
}

/** Decides where a read is answered from. */
export function readsOf(desk: Desk, network: Handler, home: Home, { revalidate, probe }: Revalidator) {
  const { silences } = desk;

  /** Whether it has to be known before the request is sent what there is. */
  const looksFirst = ({ wanted, own }: Read): boolean =>
    !wanted.noStore &&
    !wanted.reload &&
    (own.mode !== 'network-first' ||
      wanted.anyAge ||
      wanted.onlyIfCached !== undefined ||
      desk.settings.validators === 'own');

  const isUsable = (held: Held, { call, wanted, own }: Read): boolean =>
    desk.reuse(held, call, wanted, own) !== 'when-confirmed';

  /** The copy that may take the place of the origin's response. */
  const usable = async (read: Read): Promise<Held | undefined> => {
    if (read.wanted.noStore) return undefined;
    const held = await desk.find(read.request, read.call);
    return held && isUsable(held, read) ? held : undefined;
  };

  /** A copy, or the one that has taken its place meanwhile. */
  const give = async (held: Held, read: Read, why: Why = {}) => {
    const { request, call } = read;
    const copy = await desk.give(held, request, call, why);
    if (copy) return copy;
    const next = await usable(read);
    return next && next.key !== held.key ? desk.give(next, request, call, why) : undefined;
  };

  const copyInstead = async (read: Read, cause: unknown) => {
    const { call } = read;
    if (call.signal.aborted) return undefined;
    const held = await usable(read);
    return held && give(held, read, { cause, forwarded: call.attempts.length > 0 });
  };

  /** Asks, and gives up as soon as the host is offline, where there is a copy to be had: below, a retry would wait for a network. */
  const whileOnline = async (read: Read, flight: Flight, ask: () => Promise<Response>): Promise<Response> => {
    const { request, call, wanted } = read;
    const { online } = call.host;
    const look = async (): Promise<void> => {
      const held = await usable(read);
      if (!held || online.state) return;
      const { id: callId, origin } = call;
      flight.inner.abort(new NetworkError('the host is offline', { request, callId, origin }));
    };
    const heed = (up: boolean): void => {
      if (!up) look().catch(() => {});
    };
    const unsubscribe = wanted.noStore ? () => {} : online.subscribe(heed);
    try {
      if (!online.state) await look().catch(() => {});
      const response = await ask();
      watchBody(response, {
        settled(how, error) {
          flight.unfollow();
          // Firefox receives a body whose stream was cancelled until its request is aborted.
          if (how === 'broken' || how === 'cancelled') flight.inner.abort(error);
        },
      });
      return response;
    } catch (error) {
      flight.unfollow();
      throw error;
    } finally {
      unsubscribe();
    }
  };

  /**
   * The origin's answer, or the last good copy where it has none.
   *
   * @param held The copy that the origin is asked about.
   */
  const orCopy = async (read: Read, flight: Flight, held?: Held): Promise<Response> => {
    const { request, call } = read;
    const isGiven = (): boolean => flight.isGiven;
    const asks: Call = {
      ...asking({ held, isGiven }, call),
      signal: flight.inner.signal,
      // It must not fail: what is further in asks it in the middle of a failure.
      standsIn: () =>
        usable(read).then(
          (found) => found !== undefined && !flight.isGiven,
          () => false,
        ),
    };
    let response: Response;
    try {
      response = await whileOnline(read, flight, () => network(request, asks));
    } catch (error) {
      const isUnreached = isFailure(error) && (UNREACHED.includes(error.category) || isLocked(error));
      const mayCopy = !flight.isGiven && mayAnswer(call, error, isUnreached);
      const copy = mayCopy && (await copyInstead(read, error));
      if (copy) return copy;
      throw error;
    }
    const { status } = response;
    if (!flight.isGiven && mayAnswer(call, response, UNANSWERED.includes(status))) {
      let copy: Response | undefined;
      try {
        copy = await copyInstead(read, status);
      } catch (reason) {
        dropBody(response);
        throw reason;
      }
      if (copy) {
        dropBody(response);
        return copy;
      }
    }
    if (sourceOf(response) === 'network') desk.stats.misses++;
    return response;
  };

  /** Whether the origin's silence alone is a reason for a copy. */
  const mayAnswerSilence = ({ wanted, own }: Read): boolean =>
    own.respondAfter !== Infinity && !wanted.noStore && !wanted.noCache && wanted.onlyIfCached === undefined;

  /** The origin's answer, or a copy where there is none within `respondAfter`; then the answer is kept when it comes. */
  const fromNetwork = (read: Read, held?: Held): Promise<Response> => {
    const { call, own } = read;
    const { host } = call;
    const inner = aborter();
    const flight: Flight = { inner, isGiven: false, unfollow: follow(call.signal, inner.abort) };
    const { moment } = desk.shelf;
    const sentAt = host.clock.ticks();
    const answer = orCopy(read, flight, held);
    if (!mayAnswerSilence(read)) return answer;
    let isOver = false;
    return new Promise((resolve, reject) => {
      const silent = async (): Promise<void> => {
        // Only now: a request is not to wait for the store.
        const found = await usable(read);
        const held = found?.invalidated ? undefined : found;
        const copy = held && (await give(held, read, SILENCE));
        if (!copy || isOver || desk.shelf.wasForgotten(held.copy, moment)) return dropBody(copy);
        flight.isGiven = true;
        // The caller has what it wanted; the answer is still worth having.
        flight.unfollow();
        const limit = bounded(home, call, inner.abort);
        flight.unfollow = () => {};
        const ended = silences.goesOn(call, sentAt);
        resolve(copy);
        const work = answer.then(limit.responded).then(drain);
        call.waitUntil(work.finally(limit.ended).finally(ended));
      };
      const cancel = host.clock.after(own.respondAfter, () => void silent().catch(() => {}));
      const settle =
        <T>(give: (outcome: T) => void) =>
        (outcome: T): void => {
          cancel();
          isOver = true;
          if (!flight.isGiven) give(outcome);
        };
      answer.then(settle(resolve), settle(reject));
    });
  };

  /** A copy at once, because the origin is known to be silent: one request at a time finds out whether it still is. */
  const fromSilence = async (read: Read, held: Held): Promise<Response | undefined> => {
    const { request, call } = read;
    const copy = await give(held, read, { cause: 'silence' });
    const ended = copy && call.host.online.state && silences.probe(call);
    if (ended) call.waitUntil(probe(held, request, call).finally(ended));
    return copy;
  };

  return async (read: Read): Promise<Response> => {
    const { request, call, wanted, own } = read;
    const isSilent = mayAnswerSilence(read) && silences.isSilent(call, own.respondAfter);
    const held = isSilent || looksFirst(read) ? await desk.find(request, call) : undefined;
    if (held) {
      const reuse = desk.reuse(held, call, wanted, own);
      const isAnswer = own.mode !== 'network-first' || wanted.anyAge || wanted.onlyIfCached !== undefined;
      const behind = reuse === 'while-revalidating' && isAnswer && wanted.onlyIfCached === undefined;
      let copy: Response | undefined;
      if (behind || (reuse === 'as-is' && (isAnswer || isImmutable(held)))) {
        copy = await desk.give(held, request, call);
        if (copy && behind) revalidate(held, request, call);
      } else if (isSilent && reuse !== 'when-confirmed' && !held.invalidated)
        copy = await fromSilence(read, held);
      if (copy) return copy;
    }
    if (wanted.onlyIfCached !== undefined) return missing(read);
    return fromNetwork(read, held);
  };
}

/** The response to a request that wants a cached response only, if there is none. @throws {NetworkError} for Fetch's own mode. */
export function missing({ request, call, wanted }: Read): Response {
  // RFC 9111, 5.2.1.7; Fetch has a network error for its own way of saying it.
  if (wanted.onlyIfCached === '504')
    return new Response(null, { status: 504, statusText: 'Gateway Timeout' });
  throw new NetworkError('there is no cached response, and the request wants no other', {
    request,
    callId: call.id,
    origin: call.origin,
    transient: false,
  });
}

/** There is no token just now, because its endpoint cannot be reached either. */
const isLocked = ({ category, transient }: Failure): boolean => category === 'auth' && transient;

export type Reads = ReturnType<typeof readsOf>;

/** RFC 8246, 3: believed only where nobody on the way can have said it. */
export const isImmutable = ({ terms, copy }: Held): boolean =>
  terms.immutable && copy.url.startsWith('https:');
