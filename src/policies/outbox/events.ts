import type { PipelineContext } from '../../core/contract.ts';
import type { OutboxEvent } from '../../core/events.ts';
import type { Store } from '../../core/store.ts';
import { currentPartition } from '../../core/user.ts';
import { type Channel, isText, isTextOrAbsent, openChannel } from '../../primitives/broadcast.ts';
import { Emitter } from '../../primitives/emitter.ts';
import type { OutboxEntry, ResultWithBody } from './queue/entry.ts';

/** An event for listeners of `subscribe`. */
export type OutboxNotification<Meta = unknown> = Typed<OutboxEvent, Meta> & {
  /** True if it happened in another tab or worker. */
  readonly remote: boolean;
};

/** An event whose `meta`, if it has one, is the application's. */
type Typed<Event, Meta> = Event extends unknown
  ? 'meta' extends keyof Event
    ? Omit<Event, 'meta'> & { readonly meta?: Meta }
    : Event
  : never;

/** A message between tabs and workers: an event, its partition, and the key of its entry. */
interface OutboxMessage {
  readonly event: OutboxEvent;
  readonly partition: string;
  readonly key: string | undefined;
}

/** An event of this tab or another one. */
interface Happened extends OutboxMessage {
  /** Of an entry that has finished in this page; that of another one is in the store. */
  readonly result?: ResultWithBody | undefined;
  readonly remote: boolean;
}

/** Of one entry. Without an event, something may have happened: a database can be deleted. */
type EntryWatcher = (happened: Partial<Happened>) => void;

/** An event of an entry, without the fields that the entry has. */
type OfEntry<Event> = Event extends { readonly id: string } ? Omit<Event, 'id' | 'origin' | 'lane'> : never;

/** The one stream of events of entries, from this tab and from other tabs and workers. */
export class OutboxEvents {
  readonly #pipeline: PipelineContext;
  readonly #channel: Channel | undefined;
  readonly #listeners = new Emitter<OutboxNotification>();
  readonly #watchers = new Emitter<Happened>();
  /** Those that wait for the result of an entry, by its key. */
  readonly #waiting = new Map<string, Set<EntryWatcher>>();

  constructor(pipeline: PipelineContext, { durable }: Store) {
    this.#pipeline = pipeline;
    if (!durable || !pipeline.host.canShareIO) return;
    this.#channel = openChannel(`holdfast outbox ${pipeline.name}`, readMessage, (message) => {
      this.#outdate(message.event);
      this.#dispatch({ ...message, remote: true });
    });
    pipeline.onClose(() => this.#channel?.close());
  }

  /** @returns ends the subscription. */
  subscribe(listener: (event: OutboxNotification) => void): () => void {
    return this.#listeners.subscribe(listener);
  }

  /** Calls `watcher` for all events. @returns ends it. */
  watch(watcher: (happened: Happened) => unknown): () => void {
    return this.#watchers.subscribe(watcher);
  }

  /** Calls `watcher` for events of the entry with this key, whose result it waits for. @returns ends it. */
  watchEntry(key: string, watcher: EntryWatcher): () => void {
    const watchers = this.#waiting.get(key) ?? new Set();
    this.#waiting.set(key, watchers.add(watcher));
    return () => {
      watchers.delete(watcher);
      // Idempotent: a second call must not remove newer watchers.
      if (watchers.size === 0 && this.#waiting.get(key) === watchers) this.#waiting.delete(key);
    };
  }

  /** Whether a caller waits for a result. */
  get isAwaited(): boolean {
    return this.#waiting.size > 0;
  }

  /** Emits an event of an entry. @param result If it has finished. */
  emit(
    entry: Pick<OutboxEntry, 'id' | 'origin' | 'lane' | 'partition' | 'key'>,
    event: OfEntry<OutboxEvent>,
    result?: ResultWithBody,
  ): void {
    const { id, origin, lane, partition, key } = entry;
    this.emitOf(partition, { ...event, id, origin, lane } as OutboxEvent, key, result);
  }

  /** Emits an event of a user. */
  emitOf(partition: string, event: OutboxEvent, key?: string, result?: ResultWithBody): void {
    this.#outdate(event);
    this.#pipeline.emit(event);
    this.#dispatch({ event, partition, key, result, remote: false });
    if (!this.#pipeline.signal.aborted)
      this.#channel?.post({ event, partition, key } satisfies OutboxMessage);
  }

  /** Before any listener, which may read what was written. */
  #outdate(event: OutboxEvent): void {
    if (event.type === 'delivered') this.#pipeline.outdates?.(event.origin);
  }

  /** Lets callers that wait for an entry look at it again. */
  recheck(key: string, result?: ResultWithBody): void {
    for (const watcher of this.#waiting.get(key) ?? []) watcher({ result });
  }

  /** The same for all entries. */
  recheckAll(): void {
    for (const key of this.#waiting.keys()) this.recheck(key);
  }

  #dispatch(happened: Happened): void {
    const { event, partition, key = '', remote } = happened;
    // Events of a previous user may still arrive.
    if (currentPartition(this.#pipeline) === partition) this.#listeners.emit({ ...event, remote });
    for (const watcher of [...(this.#waiting.get(key) ?? [])]) watcher(happened);
    this.#watchers.emit(happened);
  }
}

/** The fields of events that are used; each may be absent. */
const TEXTS = ['id', 'origin', 'lane', 'callId', 'outcome', 'reason'] as const;
const NUMBERS = ['at', 'attempt', 'status'] as const;

function readMessage(posted: unknown): OutboxMessage | undefined {
  const { event, partition, key } = (posted ?? {}) as Partial<OutboxMessage>;
  if (!isText(event?.type)) return undefined;
  const fields = event as Partial<Record<(typeof TEXTS | typeof NUMBERS)[number], unknown>>;
  const areTexts = TEXTS.every((name) => isTextOrAbsent(fields[name]));
  const areNumbers = NUMBERS.every((name) => fields[name] === undefined || Number.isFinite(fields[name]));
  // These are useless without a lane.
  const hasLane = fields.lane !== undefined || !NEED_LANE.includes(event.type);
  if (!areTexts || !areNumbers || !hasLane || !isText(partition) || !isTextOrAbsent(key)) return undefined;
  return { event, partition, key };
}

const NEED_LANE: readonly string[] = ['queued', 'postponed', 'sending', 'replayed'];
