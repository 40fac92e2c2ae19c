import { follow } from '../../core/abort.ts';
import { type WatchedBody, watchBody } from '../../core/body.ts';
import type { Call, Handler, Home } from '../../core/contract.ts';
import { TimeoutError } from '../../core/errors.ts';
import type { HoldfastEvent } from '../../core/events.ts';
import { PerOrigin } from '../../core/origins.ts';

/** An origin that has responded to nothing for so long is known to be silent, in ms. */
const SILENT = 4_000;

/**
 * A background request is given up after so long without a response, in ms, should the pipeline have no time limit; and it
 * counts as lost, because a Worker may be stopped in the middle of it.
 */
const LOST = 30_000;

/** How long the body of a request that no caller waits for may be silent, in ms: there is time, but not for ever. */
const SILENT_BODY = 120_000;

/** From a request that stays without a response until anything responds. All times on `ticks()`. */
interface Silence {
  /** When that request was sent. */
  readonly since: number;
  /** Background requests under way, and when the latest was sent. */
  underWay: number;
  latest: number;
}

/** Numbers only: where I/O belongs to one request (Workers), calls share no promise. */
interface OriginState {
  /** When the origin showed last that requests do not hang. */
  aliveAt: number;
  silence: Silence | undefined;
}

/** Knows which origins are silent, for all pipelines of a cache. */
export class Silences {
  readonly #origins = new PerOrigin<OriginState>(() => ({ aliveAt: -Infinity, silence: undefined }));

  /** @param next Every request of the cache goes through it. */
  watched(next: Handler): Handler {
    return (request, call) => {
      const { emit } = call;
      // Also the attempts of which the response never comes up here, because a policy further in repeats them.
      const seen = (event: HoldfastEvent): void => {
        if (event.type === 'attempt-ended' && isSignOfLife(event)) this.#alive(call);
        emit?.(event);
      };
      return next(request, { ...call, emit: seen }).then((response) => {
        this.#alive(call);
        return response;
      });
    };
  }

  /**
   * Whether the origin is known to be silent.
   *
   * @param respondAfter How long the read itself would wait, in ms; a read that would wait longer than usual does so.
   */
  isSilent({ origin, host }: Call, respondAfter: number): boolean {
    const { silence } = this.#origins.get(origin);
    return silence !== undefined && host.clock.ticks() - silence.since >= Math.max(SILENT, respondAfter);
  }

  /**
   * A read was given its cached response, and its request goes on in the background.
   *
   * @param sentAt When the request was sent.
   * @returns call it when the request has ended.
   */
  goesOn({ origin, host }: Call, sentAt: number): () => void {
    const state = this.#origins.get(origin);
    if (state.aliveAt > sentAt) return () => {};
    state.silence ??= { since: sentAt, underWay: 0, latest: sentAt };
    return begin(state.silence, host.clock.ticks());
  }

  /** @returns call it when the background request has ended; `undefined` if there is one already. */
  probe({ origin, host }: Call): (() => void) | undefined {
    const { silence } = this.#origins.get(origin);
    const now = host.clock.ticks();
    if (!silence || (silence.underWay > 0 && now - silence.latest < LOST)) return undefined;
    return begin(silence, now);
  }

  #alive({ origin, host }: Call): void {
    const state = this.#origins.get(origin);
    state.aliveAt = host.clock.ticks();
    state.silence = undefined;
  }
}

/**
 * Bounds a request that no caller waits for.
 *
 * @returns `responded` bounds the time between two chunks from there on: a body that is whole some time is worth its time. `ended`
 * lets go of the pipeline, with which both end.
 */
export function bounded(
  home: Home,
  { id: callId, origin, host }: Call,
  abort: (reason: unknown) => void,
): { responded(response: Response): Response; ended(): void } {
  let body: WatchedBody | undefined;
  const giveUp = (reason: unknown): void => {
    abort(reason);
    body?.break(reason);
  };
  const armed = (ms: number): (() => void) =>
    host.clock.after(ms, () => giveUp(new TimeoutError('total', ms, { callId, origin })), {
      background: true,
    });
  let cancel = armed(LOST);
  const again = (): void => {
    cancel();
    cancel = armed(SILENT_BODY);
  };
  // A signal of another request is of no use to this one (Workers).
  const unfollow = host.sharesIO ? follow(home.signal, giveUp) : () => {};
  return {
    responded(response) {
      again();
      body = watchBody(response, { chunk: again });
      return response;
    },
    ended() {
      cancel();
      unfollow();
    },
  };
}

function begin(silence: Silence, now: number): () => void {
  silence.underWay++;
  silence.latest = now;
  return () => silence.underWay--;
}

/** A response, or a quick failure: reads that fail get their cached response at once, by other rules. */
const isSignOfLife = ({ error, duration }: Extract<HoldfastEvent, { type: 'attempt-ended' }>): boolean =>
  error === undefined || (error === 'network' && duration < SILENT);
