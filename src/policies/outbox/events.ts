import type { PipelineContext } from '../../core/contract.ts';
import type { OutboxEvent } from '../../core/events.ts';
import type { Store } from '../../core/store.ts';
import { currentPartition } from '../../core/user.ts';
import { type Channel, isText, isTextOrAbsent, openChannel } from '../../primitives/broadcast.ts';
import { notify } from '../../primitives/notify.ts';

/** What a listener of `subscribe` receives. */
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

/** What tabs and workers broadcast: an event, its partition, and the key of its entry. */
interface OutboxMessage {
  readonly event: OutboxEvent;
  readonly partition: string;
  readonly key: string | undefined;
}

/** Emits what happens to entries, to listeners here and in other tabs and workers. */
export class OutboxEvents {
  readonly #pipeline: PipelineContext;
  readonly #channel: Channel | undefined;
  readonly #listeners = new Set<(event: OutboxNotification) => unknown>();

  /** @param onRemote Called for events of other tabs, of any partition. */
  constructor(
    pipeline: PipelineContext,
    { durable }: Store,
    onRemote: (event: OutboxEvent, partition: string, key: string | undefined) => void,
  ) {
    this.#pipeline = pipeline;
    if (!durable || !pipeline.host.canShareIO) return;
    this.#channel = openChannel(
      `holdfast outbox ${pipeline.name}`,
      readMessage,
      ({ event, partition, key }) => {
        if (currentPartition(pipeline) === partition) this.#notify({ ...event, remote: true });
        onRemote(event, partition, key);
      },
    );
    pipeline.signal.addEventListener('abort', () => this.#channel?.close(), { once: true });
  }

  /** @returns ends the subscription. */
  subscribe(listener: (event: OutboxNotification) => void): () => void {
    // A listener that subscribes twice is called twice.
    const own = (event: OutboxNotification): unknown => listener(event);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  /** @param key The entry's. */
  emit(event: OutboxEvent, partition: string, key?: string): void {
    this.#pipeline.emit?.(event);
    // Events of a previous user may still arrive.
    if (currentPartition(this.#pipeline) === partition) this.#notify({ ...event, remote: false });
    if (!this.#pipeline.signal.aborted)
      this.#channel?.post({ event, partition, key } satisfies OutboxMessage);
  }

  #notify(event: OutboxNotification): void {
    for (const listener of this.#listeners) notify(listener, event);
  }
}

/** The fields of events that are used; each may be absent. */
const TEXTS = ['id', 'origin', 'lane', 'callId', 'outcome', 'reason'] as const;
const NUMBERS = ['at', 'attempt', 'status'] as const;

function readMessage(posted: unknown): OutboxMessage | undefined {
  const { event, partition, key } = (posted ?? {}) as Partial<OutboxMessage>;
  if (typeof event !== 'object' || event === null || !isText(event.type)) return undefined;
  const fields = event as Partial<Record<(typeof TEXTS | typeof NUMBERS)[number], unknown>>;
  const areTexts = TEXTS.every((name) => isTextOrAbsent(fields[name]));
  const areNumbers = NUMBERS.every((name) => fields[name] === undefined || Number.isFinite(fields[name]));
  // These are useless without a lane.
  const hasLane = fields.lane !== undefined || !NEED_LANE.includes(event.type);
  if (!areTexts || !areNumbers || !hasLane || !isText(partition) || !isTextOrAbsent(key)) return undefined;
  return { event, partition, key };
}

const NEED_LANE: readonly string[] = ['queued', 'postponed', 'sending', 'replayed'];
