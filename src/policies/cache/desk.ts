import type { Call, PipelineContext } from '../../core/contract.ts';
import type { HoldfastEvent } from '../../core/events.ts';
import { systemHost } from '../../core/host.ts';
import { ageOf } from '../../http/freshness.ts';
import { type Reuse, reuseOf } from '../../http/reuse.ts';
import type { Wanted } from '../../http/wanted.ts';
import { Shelf } from './cache-store.ts';
import type { Held } from './entry.ts';
import type { CacheSettings, CallSettings } from './options.ts';
import { type Asker, Patience } from './patience.ts';
import { Questions } from './question.ts';
import { served, type Why } from './serve.ts';
import { Silences } from './silence.ts';
import { type Tabs, tabs } from './tabs.ts';

/** What has been done since the cache was made. */
export interface CacheStats {
  /** Reads that a fresh copy answered without a request. */
  hits: number;
  /** Reads that a stale copy answered, or one that stood in for an answer. */
  stale: number;
  /** Reads that the origin's own answer answered. */
  misses: number;
  /** Copies that the origin confirmed (304). */
  confirmed: number;
  stored: number;
  evicted: number;
  /** Copies that were not kept or given up because they were not whole, too large, or could not be read. */
  discarded: number;
}

/** A read as the cache sees it. */
export interface Read extends Asker {
  readonly wanted: Wanted;
  readonly own: CallSettings;
  /** A fresh cached response is a response, and the origin need not be asked. */
  readonly isServed: boolean;
}

/** Where copies are looked up and handed out, for all pipelines that use one cache. */
export class Desk {
  readonly settings: CacheSettings;
  readonly shelf: Shelf;
  readonly patience: Patience;
  readonly silences = new Silences();
  readonly questions = new Questions();
  readonly stats: CacheStats = {
    hits: 0,
    stale: 0,
    misses: 0,
    confirmed: 0,
    stored: 0,
    evicted: 0,
    discarded: 0,
  };
  readonly #homes = new Set<PipelineContext>();
  #tabs: Tabs | undefined;

  constructor(settings: CacheSettings) {
    this.settings = settings;
    this.patience = new Patience((operation, error) =>
      this.tell({ type: 'store-failed', store: settings.store.name, operation, error }),
    );
    this.shelf = new Shelf(
      settings,
      (word) => this.#tabs?.tell(word),
      () => this.discarded('unreadable'),
    );
  }

  /** A pipeline that uses the cache; the first one, where work has to be done for nobody in particular. */
  get pipeline(): PipelineContext | undefined {
    return this.#homes.values().next().value;
  }

  get host() {
    return this.pipeline?.host ?? systemHost;
  }

  get now(): number {
    return this.host.clock.now();
  }

  enter(pipeline: PipelineContext): void {
    this.#homes.add(pipeline);
    this.#tabs ??= tabs(this.settings.store, pipeline.host, (word) => {
      // Some platforms deliver what was on its way when the channel was closed.
      if (this.#homes.size === 0) return;
      void this.patience.behind('listen', () => this.shelf.heard(word, this.now));
      if (word.what !== 'stored' || word.url === undefined) return;
      this.updated({ partition: word.partition, url: word.url });
    });
    pipeline.onClose(() => this.#leave(pipeline));
  }

  #leave(pipeline: PipelineContext): void {
    this.#homes.delete(pipeline);
    if (this.#homes.size > 0) return;
    this.#tabs?.close();
    this.#tabs = undefined;
    // What is still being written would open it again.
    this.patience.whenDone(() => {
      if (this.#homes.size > 0) return;
      // One of the application's own may throw, or return nothing.
      void Promise.resolve()
        .then(() => this.settings.store.close())
        .catch(() => {});
    });
  }

  tell(event: HoldfastEvent): void {
    for (const { emit } of this.#homes) emit?.(event);
  }

  /** There is a copy that is newer than what callers of this partition were given. */
  updated({ partition, url }: { readonly partition: string | undefined; readonly url: string }): void {
    for (const each of this.#homes) if (isOf(each, partition)) each.emit?.({ type: 'cache-updated', url });
  }

  discarded(reason: 'incomplete' | 'too-large' | 'unreadable' | 'other-user', url?: string): void {
    this.stats.discarded++;
    this.tell({ type: 'cache-discarded', reason, ...(url !== undefined && { url }) });
  }

  evicted(gone: { entries: number; bytes: number }): void {
    if (!gone.entries) return;
    this.stats.evicted += gone.entries;
    this.tell({ type: 'cache-evicted', ...gone });
  }

  /** The copy that a read may be answered with, if there is one. */
  async find(asker: Asker): Promise<Held | undefined> {
    const { request, call } = asker;
    return (
      this.shelf.near(call.partition, request) ??
      this.patience.reading('find', asker, () =>
        this.shelf.findStored(call.partition, request, call.host.clock.now()),
      )
    );
  }

  /** How a copy may answer. */
  reuse(held: Held, call: Call, wanted: Wanted, { mode, maxStale, disregard }: CallSettings): Reuse {
    const now = call.host.clock.now();
    const whileRevalidating = mode === 'stale-while-revalidate' ? maxStale : 0;
    // A clock that was set back cannot tell how old it is.
    const isDoubtful = held.doubtful || now < held.terms.receivedAt;
    const validity = { doubtful: isDoubtful, invalidated: held.invalidated };
    return reuseOf(held.terms, now, wanted, { maxStale, whileRevalidating, disregard }, validity);
  }

  /**
   * A copy as a response.
   *
   * @param why What was in place of an answer, or that the origin has confirmed it.
   * @returns `undefined` where its body has gone.
   */
  async give(held: Held, asker: Asker, why: Why = {}): Promise<Response | undefined> {
    const { shelf, patience, stats } = this;
    const { request, call } = asker;
    const { method, url } = request;
    const { host } = call;
    const now = host.clock.now();
    const body =
      method === 'HEAD'
        ? null
        : (shelf.nearBody(held) ?? (await patience.reading('body', asker, () => shelf.body(held, now))));
    if (body === undefined) return undefined;
    const touch = shelf.touch(held, now);
    if (touch) call.waitUntil(patience.writing('touch', host, touch));
    const age = ageOf(held.terms, now);
    const source =
      why.confirmed || (age < held.terms.lifetime && !held.doubtful && !held.invalidated) ? 'cache' : 'stale';
    const isHit = source === 'cache' && !('cause' in why);
    stats[why.confirmed ? 'confirmed' : isHit ? 'hits' : 'stale']++;
    told(call, {
      type: 'cache-served',
      url,
      source,
      age: Math.floor(age / 1000),
      ...('cause' in why && { cause: why.cause }),
    });
    return served(held, body, now, why);
  }
}

/** Without the facts of the call. */
type Told<E> = E extends { callId: string; origin: string } ? Omit<E, 'callId' | 'origin'> : never;

/** Emits an event of a call. */
export const told = ({ id: callId, origin, emit }: Call, event: Told<HoldfastEvent>): void =>
  emit?.({ callId, origin, ...event } as HoldfastEvent);

/** Whether it is this user's pipeline just now; nobody's while nobody is signed in. */
export function isOf(pipeline: PipelineContext, partition: string | undefined): boolean {
  try {
    return partition === undefined || pipeline.partition() === partition;
  } catch {
    return false;
  }
}
