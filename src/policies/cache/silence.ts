import type { Call } from '../../core/contract.ts';
import type { HoldfastEvent } from '../../core/events.ts';
import type { Attempt } from '../../primitives/failure.ts';
import { LruMap } from '../../primitives/lru.ts';

/** An origin that has responded to nothing for so long is known to be silent, in ms. */
const SILENT = 4_000;

/** A background request counts as lost after so long without a response, in ms; a Worker may be stopped in the middle of it. */
export const LOST = 30_000;

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
  readonly #origins = new LruMap<OriginState>(() => ({ aliveAt: -Infinity, silence: undefined }));

  /** Watches the attempts of a read, also those that a policy further in repeats. */
  watching(call: Call): (event: HoldfastEvent) => void {
    return (event) => {
      if (event.type === 'attempt-ended' && isSignOfLife(event)) this.alive(call);
      call.emit?.(event);
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

  /** The origin has responded, or has shown otherwise that requests do not hang. */
  alive({ origin, host }: Call): void {
    const state = this.#origins.get(origin);
    state.aliveAt = host.clock.ticks();
    state.silence = undefined;
  }
}

function begin(silence: Silence, now: number): () => void {
  silence.underWay++;
  silence.latest = now;
  return () => silence.underWay--;
}

/** A response, or a quick failure: reads that fail get their cached response at once, by other rules. */
export const isSignOfLife = ({ error, duration }: Pick<Attempt, 'error' | 'duration'>): boolean =>
  error === undefined || (error === 'network' && duration < SILENT);
