import type { Host } from '../../../core/contract.ts';
import { isQuotaExceeded, type Store } from '../../../core/store.ts';
import { type Channel, isTextOrAbsent, openChannel } from '../../../primitives/broadcast.ts';
import { dropOldest } from '../../../primitives/lru.ts';
import { keyPrefix, keyPrefixes, type StoredResponse } from './entry.ts';

/** A message about cached responses between tabs and workers of an origin. */
export interface CacheMessage {
  /**
   * `stored`: a newer response; `changed`: read again; `unconfirmed`: it may be outdated; `invalidated`: it is outdated; `deleted`:
   * responses requested before `at` are deleted.
   */
  readonly what: 'stored' | 'changed' | 'unconfirmed' | 'invalidated' | 'deleted';
  /** Absent: all partitions. */
  readonly partition?: string | undefined;
  /** Absent: all URLs. */
  readonly url?: string | undefined;
  /** Wall time in ms. */
  readonly at: number;
}

const MESSAGES: readonly unknown[] = ['stored', 'changed', 'unconfirmed', 'invalidated', 'deleted'];

/** Connects the tabs that use a store of one name; the memory of a server is not shared. */
export function openCacheChannel(
  { name, durable }: Store,
  { canShareIO }: Host,
  onMessage: (message: CacheMessage) => void,
): Channel | undefined {
  const isShared = durable || 'document' in globalThis || 'WorkerGlobalScope' in globalThis;
  if (!isShared || !canShareIO) return undefined;
  const channel = openChannel(`holdfast-cache ${name}`, readMessage, onMessage);
  return {
    post(message: CacheMessage) {
      // Stores in memory have no common responses; but a deletion or an invalidation holds for all tabs.
      if (durable || !['stored', 'changed'].includes(message.what)) channel.post(message);
    },
    close: channel.close,
  };
}

function readMessage(posted: unknown): CacheMessage | undefined {
  const { what, partition, url, at } = (posted ?? {}) as Partial<CacheMessage>;
  const isValid = MESSAGES.includes(what) && [partition, url].every(isTextOrAbsent) && Number.isFinite(at);
  return isValid ? ({ what, partition, url, at } as CacheMessage) : undefined;
}

/** How many URLs, partitions and failed deletions are remembered one by one. */
const MAX_REMEMBERED = 5_000;

/** Changes to cached responses: those that are broadcast, and `current`: the stored response is the origin's latest. */
type Happening = CacheMessage['what'] | 'current';

type Scope = Pick<CacheMessage, 'partition' | 'url'>;

/** When something last happened to each URL, in generations: a write that began before a deletion must not undo it. */
export class History {
  #generation = 0;
  /** The generation of dropped changes: counts for all URLs. */
  #floor = 0;
  readonly #generations = new Map<string, Partial<Record<Happening, number>>>();

  /** To be recorded when a request is sent. */
  get generation(): number {
    return this.#generation;
  }

  record(what: Happening, { partition, url }: Scope): void {
    const place = keyPrefix(partition, url);
    const generation = ++this.#generation;
    const generations = { ...this.#generations.get(place), [what]: generation, changed: generation };
    this.#generations.delete(place);
    this.#generations.set(place, generations);
    const dropped = dropOldest(this.#generations, MAX_REMEMBERED);
    if (dropped) this.#floor = dropped[1].changed as number;
  }

  /** The last generation in which one of these happened, or may have happened, to a URL, its partition, or everything. */
  last({ partition, url }: { partition: string; url: string }, ...whats: Happening[]): number {
    const generations = keyPrefixes(partition, url).map((place) => this.#generations.get(place));
    return Math.max(this.#floor, ...whats.flatMap((what) => generations.map((of) => of?.[what] ?? 0)));
  }

  /** Whether one of these happened, or may have happened, after a generation. */
  since(generation: number, of: { partition: string; url: string }, ...whats: Happening[]): boolean {
    return this.last(of, ...whats) > generation;
  }
}

/** The effects of a write on the cached responses of its URL. */
export interface Marks {
  readonly unconfirmed?: true;
  readonly invalidated?: true;
}

/** By key prefix: marks that the store has not written, because it hangs or has failed. */
export class UnstoredMarks {
  readonly #marks = new Map<string, Marks>();

  at(place: string): Marks | undefined {
    return this.#marks.get(place);
  }

  /** @param write Writes the marks. @returns its result. */
  async until<T>(place: string, marks: Marks, write: Promise<T>): Promise<T> {
    this.#marks.set(place, { ...this.at(place), ...marks });
    dropOldest(this.#marks, MAX_REMEMBERED);
    const result = await write;
    this.#marks.delete(place);
    return result;
  }
}

const KEY = 'responses deleted ';

/** Stands for all partitions; the names of partitions end with a space. */
export const ALL = 'everybody';

/** How long a tombstone is kept, in ms: no request takes longer. */
const TOMBSTONE_TTL = 86_400_000;

/**
 * Deletions by wall time in ms: a response that was requested before is never served, although it may be stored,
 * because the deletion failed, or because a tab that missed the message stored it. When partitions were cleared is stored, too: such
 * a tab may come back after a logout.
 */
export class Deletions {
  readonly #store: Store;
  /** Of partitions, by their names as they are written. */
  readonly #tombstones = new Map<string, number>();
  /** By key prefix: those that have not ended, or have failed. */
  readonly #pending = new Map<string, number>();

  constructor(store: Store) {
    this.#store = store;
  }

  async open(now: number): Promise<void> {
    const items = await this.#store.range({ prefix: KEY });
    for (const { key, value } of items) this.receive(key.slice(KEY.length), Number(value));
    await this.#prune(now);
  }

  /** Deletes the records under a key prefix. @param name The partition, if all of it is deleted. */
  async run(
    place: string,
    at: number,
    name: Promise<string> | undefined,
    work: () => Promise<number>,
  ): Promise<number> {
    this.#pending.set(place, at);
    dropOldest(this.#pending, MAX_REMEMBERED);
    const mark = async (): Promise<void> => {
      if (name) await this.#mark(await name, at);
    };
    // On a full disk there is room for a tombstone only after the deletion.
    const isMarked = await mark().then(
      () => true,
      () => false,
    );
    const gone = await work();
    // If there is still no room, no late response can be stored either.
    if (!isMarked)
      await mark().catch((error) => {
        if (!isQuotaExceeded(error)) throw error;
      });
    if (this.#pending.get(place) === at) this.#pending.delete(place);
    return gone;
  }

  /** Another tab has cleared a partition. */
  receive(name: string, at: number): void {
    this.#tombstones.set(name, Math.max(at, this.#tombstones.get(name) ?? -Infinity));
    // Other tabs send partitions, too. The oldest tombstone holds for all from now on.
    const oldest = dropOldest(this.#tombstones, MAX_REMEMBERED);
    if (oldest) this.receive(ALL, oldest[1]);
  }

  /** Whether a response was requested before it was deleted. @param name Of its partition. */
  covers(name: string, { partition, url, requestedAt }: StoredResponse, now: number): boolean {
    const isPending = keyPrefixes(partition, url).some(
      (place) => requestedAt <= (this.#pending.get(place) ?? -Infinity),
    );
    return (
      isPending ||
      [name, ALL].some((each) => {
        const at = this.#tombstones.get(each) ?? -Infinity;
        // Clamp timestamps in the future (clock skew).
        if (at > now) this.#tombstones.set(each, now);
        return requestedAt < Math.min(at, now);
      })
    );
  }

  async #mark(name: string, at: number): Promise<void> {
    this.receive(name, at);
    await this.#store.write([{ put: { key: KEY + name, value: at } }]);
    await this.#prune(at);
  }

  async #prune(now: number): Promise<void> {
    const over = [...this.#tombstones].filter(([, at]) => !(at > now - TOMBSTONE_TTL));
    for (const [name] of over) this.#tombstones.delete(name);
    if (over.length) await this.#store.write(over.map(([name]) => ({ delete: KEY + name })));
  }
}
