import { createResponse } from '../../core/body/response.ts';
import type { Call, Handler, Host, PipelineContext } from '../../core/contract.ts';
import type { HoldfastEvent } from '../../core/events.ts';
import { systemHost } from '../../core/host.ts';
import { SOURCE_HEADER } from '../../core/outcome.ts';
import { currentPartition } from '../../core/user.ts';
import { ageOf } from '../../http/freshness.ts';
import type { Channel } from '../../primitives/broadcast.ts';
import type { CacheSettings, CallSettings } from './options.ts';
import { CacheStore } from './store/cache-store.ts';
import { openCacheChannel } from './store/changes.ts';
import type { CachedResponse } from './store/entry.ts';
import { GuardedStore, WRITE_TIMEOUT } from './store/guarded-store.ts';

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

/** State of a read on its way to the origin, or of a request of the cache's own. */
export interface Revalidation {
  /** The cached response to revalidate. */
  readonly cached?: CachedResponse | undefined;
  /** The caller was given a cached response. */
  readonly isServed?: boolean;
  /** No caller waits for the response. */
  readonly isBackground?: boolean;
  /** Replaces the options of the call. */
  readonly own?: CallSettings;
}

/** Why a cached response is served. */
export interface ServeReason {
  /** The origin has just confirmed it. */
  readonly confirmed?: boolean;
  /** The origin's failure: a status, an error, or `'silence'`. */
  readonly cause?: unknown;
  /** Whether a request was sent at all. */
  readonly forwarded?: boolean;
}

/** The store, the statistics and the events of one cache, for all pipelines that use it. */
export class Cache {
  readonly settings: CacheSettings;
  readonly store: CacheStore;
  readonly guarded: GuardedStore;
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
    for (const { emit } of this.#pipelines.keys()) emit(event);
  }

  /** A newer response is cached than callers of this partition have. */
  updated({ partition, url }: { readonly partition: string | undefined; readonly url: string }): void {
    for (const each of this.#pipelines.keys())
      if (isCurrentPartition(each, partition)) each.emit({ type: 'cache-updated', url });
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
    const ttl = cached.unconfirmed || cached.invalidated ? Math.min(0, left) : left;
    const source = why.confirmed || ttl > 0 ? 'cache' : 'stale';
    const cause = 'cause' in why && { cause: why.cause };
    this.stats[why.confirmed ? 'confirmed' : source === 'cache' && !cause ? 'hits' : 'stale']++;
    emitCallEvent(call, { type: 'cache-served', url, source, age: seconds(age), ...cause });
    const headers = new Headers(cached.headers);
    // A confirmed response counts as just sent (RFC 9111, 5.1).
    if (why.confirmed) headers.delete('age');
    else headers.set('age', `${seconds(age)}`);
    // An unclosed string would swallow our member.
    if ((headers.get('cache-status')?.split('"').length ?? 1) % 2 === 0) headers.delete('cache-status');
    headers.append('cache-status', cacheStatus(why, ttl));
    headers.set(SOURCE_HEADER, source);
    return createResponse(body, cached.response.response, headers);
  }
}

const seconds = (ms: number): number => Math.floor(ms / 1000);

/** RFC 9211, 2: either a hit, or the reason for forwarding and the outcome. A negative ttl means stale. */
function cacheStatus({ confirmed, cause, forwarded }: ServeReason, ttl: number): string {
  const status = confirmed ? 304 : cause;
  const sent = `fwd=${ttl > 0 ? 'request' : 'stale'}${typeof status === 'number' ? `; fwd-status=${status}` : ''}`;
  return `holdfast; ${confirmed || forwarded ? sent : 'hit'}; ttl=${seconds(ttl)}`;
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

/** Whether the user of a call is signed in, and no other one was seen since the call was made, not even for a moment. */
export const isStillUserOf = (pipeline: PipelineContext, { partition, userChanges }: Call): boolean =>
  isCurrentPartition(pipeline, partition) && userChanges === pipeline.userChanges();
