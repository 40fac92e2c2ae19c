import type { Call, Handler, Host, PipelineContext } from '../../core/contract.ts';
import type { HoldfastEvent } from '../../core/events.ts';
import { systemHost } from '../../core/host.ts';
import { currentPartition } from '../../core/user.ts';
import type { RequestDirectives } from '../../http/cache-control.ts';
import { ageOf } from '../../http/freshness.ts';
import { type Reuse, reuseOf } from '../../http/reuse.ts';
import type { Channel } from '../../primitives/broadcast.ts';
import type { CacheSettings, CallSettings } from './options.ts';
import { Silences } from './silence.ts';
import { CacheStore } from './store/cache-store.ts';
import { openCacheChannel } from './store/channel.ts';
import type { CachedResponse } from './store/entry.ts';
import { GuardedStore, WRITE_TIMEOUT } from './store/guarded-store.ts';
import { fromCache, type ServeReason } from './to-response.ts';

/** Counts since the cache was made. */
export interface CacheStats {
  /** Reads served by a fresh cached response without a request. */
  hits: number;
  /** Reads served by a stale cached response, or by one in place of the origin's. */
  stale: number;
  /** Reads served by the origin's own response. */
  misses: number;
  /** Cached responses that the origin confirmed (304). */
  confirmed: number;
  stored: number;
  evicted: number;
  /** Responses that were not stored or were deleted because they were incomplete, too large, or unreadable. */
  discarded: number;
}

/** A read of the cache. */
export interface Asker {
  readonly request: Request;
  readonly call: Call;
}

/** A read as the cache sees it. */
export interface Read extends Asker {
  readonly wanted: RequestDirectives;
  readonly own: CallSettings;
  /** A fresh cached response is a response, and the origin need not be asked. */
  readonly isServed: boolean;
}

/** State of a read on its way to the origin, or of a request of the cache's own. */
export interface Revalidation {
  /** The cached response to revalidate. */
  readonly cached?: CachedResponse | undefined;
  /** The caller has a cached response, because there was no other. */
  readonly isServed?: boolean;
  /** No caller waits for the response. */
  readonly isBackground?: boolean;
  /** Replaces the options of the call. */
  readonly own?: CallSettings;
}

/** The store, the statistics and the events of one cache, for all pipelines that use it. */
export class Cache {
  readonly settings: CacheSettings;
  readonly store: CacheStore;
  readonly guarded: GuardedStore;
  readonly silences = new Silences();
  readonly stats: CacheStats = {
    hits: 0,
    stale: 0,
    misses: 0,
    confirmed: 0,
    stored: 0,
    evicted: 0,
    discarded: 0,
  };
  /** Each with the handler of its reads, for requests of the cache's own. */
  readonly #pipelines = new Map<PipelineContext, Handler>();
  /** Of the call: a `Request` may be reused by others. Each cache has a key of its own. */
  readonly #revalidation = Symbol('holdfast.cache.revalidation');
  #host: Host = systemHost;
  #tabs: Channel | undefined;

  constructor(settings: CacheSettings) {
    this.settings = settings;
    this.guarded = new GuardedStore(
      () => (this.pipeline ? this.#host : undefined),
      (operation, error) => this.emit({ type: 'store-failed', store: settings.store.name, operation, error }),
    );
    this.store = new CacheStore({
      settings,
      now: () => this.now,
      broadcast: (message) => this.#tabs?.post(message),
      discarded: () => this.discarded('unreadable'),
    });
  }

  /** The first pipeline that uses the cache, for work without a call. */
  get pipeline(): PipelineContext | undefined {
    return this.#pipelines.keys().next().value;
  }

  get host(): Host {
    return this.#host;
  }

  get now(): number {
    return this.#host.clock.now();
  }

  attach(pipeline: PipelineContext, reads: Handler): void {
    if (!this.pipeline) this.#host = pipeline.host;
    this.#pipelines.set(pipeline, reads);
    this.#tabs ??= openCacheChannel(this.settings.store, pipeline.host, (message) => {
      // Some platforms deliver messages after the channel was closed.
      if (!this.pipeline) return;
      void this.guarded.inBackground('listen', () => this.store.receive(message));
      if (message.what !== 'stored' || message.url === undefined) return;
      this.updated({ partition: message.partition, url: message.url });
    });
    pipeline.onClose(() => this.#leave(pipeline));
  }

  #leave(pipeline: PipelineContext): void {
    this.#pipelines.delete(pipeline);
    if (this.pipeline) return;
    this.#tabs?.close();
    this.#tabs = undefined;
    // A pending write would open the store again.
    this.guarded.whenDone(() => {
      // A store of the application may throw, or return nothing.
      if (!this.pipeline)
        Promise.resolve()
          .then(() => this.settings.store.close())
          .catch(() => {});
    });
  }

  /** Makes a read of the cache's own. @throws once the pipeline is closed. */
  async read(pipeline: PipelineContext, request: Request, call: Call): Promise<Response> {
    pipeline.signal.throwIfAborted();
    return (this.#pipelines.get(pipeline) as Handler)(request, call);
  }

  revalidationOf(call: Call): Revalidation | undefined {
    return (call as Call & Record<symbol, unknown>)[this.#revalidation] as Revalidation | undefined;
  }

  /** @param revalidation `undefined` for stages further in that must not see it. */
  withRevalidation(revalidation: Revalidation | undefined, call: Call, more?: Partial<Call>): Call {
    return { ...call, ...more, [this.#revalidation]: revalidation } as Call;
  }

  emit(event: HoldfastEvent): void {
    for (const { emit } of this.#pipelines.keys()) emit?.(event);
  }

  /** A newer response is cached than callers of this partition have. */
  updated({ partition, url }: { readonly partition: string | undefined; readonly url: string }): void {
    for (const each of this.#pipelines.keys())
      if (isCurrentPartition(each, partition)) each.emit?.({ type: 'cache-updated', url });
  }

  discarded(reason: 'incomplete' | 'too-large' | 'unreadable' | 'other-user', url?: string): void {
    this.stats.discarded++;
    this.emit({ type: 'cache-discarded', reason, ...(url !== undefined && { url }) });
  }

  evicted(gone: { entries: number; bytes: number }): void {
    if (!gone.entries) return;
    this.stats.evicted += gone.entries;
    this.emit({ type: 'cache-evicted', ...gone });
  }

  /** The cached response for a read, if there is one. */
  async find({ request, call: { partition } }: Asker): Promise<CachedResponse | undefined> {
    return (
      this.store.inMemory(partition, request) ??
      this.guarded.read('find', () => this.store.findStored(partition, request))
    );
  }

  /** How a cached response may be used. */
  reuse(cached: CachedResponse, { wanted, own: { mode, maxStale, disregard } }: Read): Reuse {
    const { now } = this;
    const whileRevalidating = mode === 'stale-while-revalidate' ? maxStale : 0;
    // If the clock was set back, the age is unknown.
    const doubtful = cached.doubtful || now < cached.freshness.receivedAt;
    const validity = { doubtful, invalidated: cached.invalidated };
    return reuseOf(cached.freshness, now, wanted, { maxStale, whileRevalidating, disregard }, validity);
  }

  /**
   * Makes a response of a cached one.
   *
   * @param why The failure that it stands in for, or that the origin has confirmed it.
   * @returns `undefined` if its body is gone.
   */
  async serve(
    cached: CachedResponse,
    { request: { method, url }, call }: Asker,
    why: ServeReason = {},
  ): Promise<Response | undefined> {
    const { store, guarded, now } = this;
    const read = () => guarded.read('body', () => store.body(cached));
    const body = method === 'HEAD' ? null : (cached.body ?? (await read()));
    if (body === undefined) return undefined;
    const touch = store.touch(cached);
    if (touch) call.waitUntil(guarded.attempt('touch', touch, WRITE_TIMEOUT));
    const age = ageOf(cached.freshness, now);
    const left = cached.freshness.lifetime - age;
    const ttl = cached.doubtful || cached.invalidated ? Math.min(0, left) : left;
    const source = why.confirmed || ttl > 0 ? 'cache' : 'stale';
    const cause = 'cause' in why && { cause: why.cause };
    this.stats[why.confirmed ? 'confirmed' : source === 'cache' && !cause ? 'hits' : 'stale']++;
    emitCallEvent(call, { type: 'cache-served', url, source, age: Math.floor(age / 1000), ...cause });
    return fromCache(cached, body, { ...why, age, ttl, source });
  }
}

/** An event without the facts of the call. */
type CallEventFields<E> = E extends { callId: string; origin: string } ? Omit<E, 'callId' | 'origin'> : never;

/** Emits an event of a call. */
export const emitCallEvent = (
  { id: callId, origin, emit }: Call,
  event: CallEventFields<HoldfastEvent>,
): void => emit?.({ callId, origin, ...event } as HoldfastEvent);

/** Whether the user of this partition is signed in; false if no user is. */
export const isCurrentPartition = (pipeline: PipelineContext, partition: string | undefined): boolean =>
  partition === undefined || currentPartition(pipeline) === partition;
