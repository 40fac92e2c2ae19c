import type { Call, PipelineContext } from '../../core/contract.ts';
import { TimeoutError } from '../../core/errors.ts';
import { isPageHidden, prefersReducedData } from '../../core/host.ts';
import type { Run } from '../../core/stage.ts';
import { type Attempt, HoldfastError } from '../../primitives/failure.ts';
import { tryWithLock } from '../../primitives/locks.ts';
import { LruMap } from '../../primitives/lru.ts';
import { type Asker, type Cache, emitCallEvent, isCurrentPartition } from './cache-context.ts';
import { type CachedResponse, keyPrefix } from './store/entry.ts';

/** With Save-Data, entries younger than this are not revalidated; in ms. */
const SAVING = 5 * 60_000;

/** An origin that has responded to nothing for so long is known to be silent, in ms. */
const SILENT = 4_000;

/** A background request counts as lost after so long without a response, in ms; a Worker may be stopped in the middle of it. */
const LOST = 30_000;

/** How long the body of a background request may be silent, in ms: there is time, but not for ever. */
const SILENT_BODY = 120_000;

/** Requests that no caller waits for, never as another user. */
export function revalidator(cache: Cache, silences: Silences) {
  const underWay = new Set<string>();
  const { store, settings } = cache;

  const ask = async (
    pipeline: PipelineContext,
    { request, call }: Asker,
    cached: CachedResponse | undefined,
  ): Promise<void> => {
    const { partition, origin, options } = call;
    const works: Promise<unknown>[] = [];
    const own = cache.withRevalidation(
      { cached, isBackground: true, isServed: true },
      pipeline.background({ origin, partition, options }),
      {
        init: call.init,
        ...(call.transport && { transport: call.transport }),
        // Sent later, perhaps with the cookies of another user.
        beforeSend: () => {
          if (!isCurrentPartition(pipeline, partition)) throw new UserChangedError();
        },
        waitUntil(work) {
          works.push(work);
          call.waitUntil(work);
        },
      },
    );
    try {
      await cache.read(pipeline, request, own);
      // The next tab reads the stored response before it sends a request of its own.
      await Promise.all(works);
    } catch (error) {
      emitCallEvent(own, { type: 'cache-revalidated', url: request.url, error });
    }
  };

  return {
    /** Revalidates a cached response that was served: one at a time, over all tabs. */
    revalidate(pipeline: PipelineContext, cached: CachedResponse, asker: Asker): void {
      const { request, call } = asker;
      const { partition, url, receivedAt } = cached.response;
      const place = keyPrefix(partition, url);
      // The response is served anyway: don't revalidate offline, in a hidden page, or with Save-Data.
      if (underWay.has(place) || !call.host.connectivity.state || isPageHidden()) return;
      if (prefersReducedData() && cache.now - receivedAt < SAVING) return;
      underWay.add(place);
      const work = tryWithLock(`holdfast-cache ${settings.store.name} ${place}`, async () => {
        // If it was deleted in between, there is nothing to confirm.
        const stored = await store.findStored(call.partition, request);
        // Another tab has been faster.
        if (stored && stored.response.receivedAt > receivedAt) return;
        await ask(pipeline, asker, stored);
      });
      call.waitUntil(work.finally(() => underWay.delete(place)));
    },

    /** Finds out whether an origin still is silent, by one request at a time, and announces its response. */
    probe(pipeline: PipelineContext, cached: CachedResponse, asker: Asker): void {
      const { call } = asker;
      const ended = call.host.connectivity.state && silences.probe(call);
      if (ended) call.waitUntil(ask(pipeline, asker, cached).finally(ended));
    },
  };
}

/** Nothing was sent: it would have been sent with another user's credentials. */
export class UserChangedError extends HoldfastError {
  override name = 'UserChangedError';

  constructor() {
    super('the user has changed since the request was made', { code: 'user-changed', category: 'aborted' });
  }
}

/** Gives a background request up if there is no response in time. @returns cancels that. */
export function limitBackground(run: Run, level: number): () => void {
  const { call } = run;
  const giveUp = (): void => run.abandon(lost(call, LOST), level);
  return call.host.clock.after(LOST, giveUp, { background: true });
}

/** Reads the body of a background request, for the part of the cache that stores it. */
export function drained(run: Run, { body }: Response): Promise<undefined> {
  const { call } = run;
  const reader = body?.getReader();
  let error: unknown;
  const giveUp = (reason: unknown): void => {
    error = reason;
    reader?.cancel(reason).catch(() => {});
  };
  const read = async (): Promise<undefined> => {
    for (let isDone = !reader; !isDone; ) {
      const late = (): void => giveUp(lost(call, SILENT_BODY));
      const cancel = call.host.clock.after(SILENT_BODY, late, { background: true });
      const chunk = reader?.read().finally(cancel);
      isDone = (await chunk)?.done !== false;
    }
    if (error) throw error;
  };
  return run.wait(Infinity, read(), giveUp);
}

const lost = ({ id: callId, origin }: Call, ms: number): TimeoutError =>
  new TimeoutError('total', ms, { callId, origin });

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
