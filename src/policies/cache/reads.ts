import { aborter, follow } from '../../core/abort.ts';
import { drain, dropBody, watchBody } from '../../core/body.ts';
import type { Call, Handler, Home } from '../../core/contract.ts';
import { type Category, type Failure, isFailure, NetworkError } from '../../core/errors.ts';
import { mayAnswer } from '../../core/instead.ts';
import { sourceOf } from '../../core/source.ts';
import type { Wanted } from '../../http/wanted.ts';
import { askingAbout } from './asking.ts';
import type { Held } from './copy.ts';
import type { Desk } from './desk.ts';
import type { CallSettings } from './options.ts';
import type { Why } from './serve.ts';

/** RFC 5861, 4: these mean the same as no answer. */
const UNANSWERED = [500, 502, 503, 504];

const UNREACHED: readonly Category[] = ['network', 'timeout', 'circuit-open', 'capacity', 'rate-limit'];

/** A read as the cache sees it. */
interface Read {
  readonly request: Request;
  readonly call: Call;
  readonly wanted: Wanted;
  readonly own: CallSettings;
}

/** Decides where a read is answered from. */
export function readsOf(
  desk: Desk,
  network: Handler,
  home: Home,
  revalidate: (held: Held, request: Request, call: Call) => void,
) {
  /** Whether it has to be known before the request is sent what there is. */
  const looksFirst = ({ wanted, own }: Read): boolean =>
    !wanted.noStore &&
    !wanted.reload &&
    (own.mode !== 'network-first' ||
      own.answerAfter !== Infinity ||
      wanted.anyAge ||
      wanted.onlyIfCached !== undefined ||
      desk.settings.validators === 'own');

  /** A copy, or the one that has taken its place meanwhile. */
  const give = async (held: Held, { request, call, wanted, own }: Read, why: Why = {}) => {
    const copy = await desk.give(held, request, call, why);
    if (copy) return copy;
    const next = await desk.find(request, call);
    const isOther = next && next.key !== held.key && desk.reuse(next, call, wanted, own) !== 'when-confirmed';
    return isOther ? desk.give(next, request, call, why) : undefined;
  };

  const copyInstead = async (read: Read, cause: unknown) => {
    const { request, call, wanted, own } = read;
    if (wanted.noStore || call.signal.aborted) return undefined;
    const held = await desk.find(request, call);
    if (!held || desk.reuse(held, call, wanted, own) === 'when-confirmed') return undefined;
    return give(held, read, { cause, forwarded: call.attempts.length > 0 });
  };

  /** Asks, and gives up as soon as the host is offline, where there is a copy to be had: below, a retry would wait for a network. */
  const whileOnline = async (read: Read, ask: (call: Call) => Promise<Response>): Promise<Response> => {
    const { request, call, wanted, own } = read;
    const { online } = call.host;
    if (wanted.noStore) return ask(call);
    const inner = aborter();
    const unfollow = follow(call.signal, inner.abort);
    const look = async (): Promise<void> => {
      const held = await desk.find(request, call);
      if (!held || online.state || desk.reuse(held, call, wanted, own) === 'when-confirmed') return;
      const { id: callId, origin } = call;
      inner.abort(new NetworkError('the host is offline', { request, callId, origin }));
    };
    const heed = (up: boolean): void => {
      if (!up) look().catch(() => {});
    };
    const unsubscribe = online.subscribe(heed);
    try {
      if (!online.state) await look().catch(() => {});
      const response = await ask({ ...call, signal: inner.signal });
      watchBody(response, { settled: () => unfollow() });
      return response;
    } catch (error) {
      unfollow();
      throw error;
    } finally {
      unsubscribe();
    }
  };

  /**
   * The origin's answer, or the last good copy where it has none.
   *
   * @param held The copy that the origin is asked about.
   * @param isGiven Whether the caller has been given something meanwhile.
   */
  const fromNetwork = async (read: Read, held?: Held, isGiven = () => false): Promise<Response> => {
    const { request, call } = read;
    let response: Response;
    try {
      response = await whileOnline(read, (call) => network(request, askingAbout(held, call)));
    } catch (error) {
      const isUnreached = isFailure(error) && (UNREACHED.includes(error.category) || isLocked(error));
      const mayCopy = !isGiven() && mayAnswer(call, error, isUnreached);
      const copy = mayCopy && (await copyInstead(read, error));
      if (copy) return copy;
      throw error;
    }
    const { status } = response;
    if (!isGiven() && mayAnswer(call, response, UNANSWERED.includes(status))) {
      const copy = await copyInstead(read, status).catch((reason) => {
        dropBody(response);
        throw reason;
      });
      if (copy) {
        dropBody(response);
        return copy;
      }
    }
    if (sourceOf(response) === 'network') desk.stats.misses++;
    return response;
  };

  /** The origin's answer, or a copy where it is silent for too long; then it is kept when it comes. */
  const whicheverIsFirst = (read: Read, held: Held): Promise<Response> => {
    const { call, own } = read;
    const inner = aborter();
    let unfollow = follow(call.signal, inner.abort);
    const { moment } = desk.shelf;
    let isGiven = false;
    const answer = fromNetwork({ ...read, call: { ...call, signal: inner.signal } }, held, () => isGiven);
    return new Promise((resolve, reject) => {
      const silent = async (): Promise<void> => {
        const why = { cause: 'silence', forwarded: true };
        const copy = await give(held, read, why).catch(() => undefined);
        if (!copy || isGiven || desk.shelf.wasForgotten(held.copy, moment)) return dropBody(copy);
        isGiven = true;
        // The caller has what it wanted; the answer is still worth having.
        unfollow();
        unfollow = follow(home.signal, inner.abort);
        resolve(copy);
        call.waitUntil(answer.then(drain).finally(unfollow));
      };
      const cancel = call.host.clock.after(own.answerAfter, () => void silent());
      answer.then(
        (response) => {
          cancel();
          if (isGiven) return;
          isGiven = true;
          watchBody(response, { settled: () => unfollow() });
          resolve(response);
        },
        (error) => {
          cancel();
          if (!isGiven) unfollow();
          isGiven = true;
          reject(error);
        },
      );
    });
  };

  const missing = ({ request, call, wanted }: Read): Response => {
    // RFC 9111, 5.2.1.7; Fetch has a network error for its own way of saying it.
    if (wanted.onlyIfCached === '504')
      return new Response(null, { status: 504, statusText: 'Gateway Timeout' });
    throw new NetworkError('there is no copy, and only a copy is wanted', {
      request,
      callId: call.id,
      origin: call.origin,
      transient: false,
    });
  };

  return async (read: Read): Promise<Response> => {
    const { request, call, wanted, own } = read;
    const held = looksFirst(read) ? await desk.find(request, call) : undefined;
    if (held) {
      const reuse = desk.reuse(held, call, wanted, own);
      const isAnswer = own.mode !== 'network-first' || wanted.anyAge || wanted.onlyIfCached !== undefined;
      const behind = reuse === 'while-revalidating' && isAnswer && wanted.onlyIfCached === undefined;
      if (behind || (reuse === 'as-is' && (isAnswer || isImmutable(held)))) {
        const copy = await desk.give(held, request, call);
        if (copy && behind) revalidate(held, request, call);
        if (copy) return copy;
      } else if (
        reuse !== 'when-confirmed' &&
        own.answerAfter !== Infinity &&
        wanted.onlyIfCached === undefined
      )
        return whicheverIsFirst(read, held);
    }
    if (wanted.onlyIfCached !== undefined) return missing(read);
    return fromNetwork(read, held);
  };
}

/** There is no token just now, because its endpoint cannot be reached either. */
const isLocked = ({ category, transient }: Failure): boolean => category === 'auth' && transient;

export type Reads = ReturnType<typeof readsOf>;

/** RFC 8246, 3: believed only where nobody on the way can have said it. */
const isImmutable = ({ terms, copy }: Held): boolean => terms.immutable && copy.url.startsWith('https:');
