import { type Channel, isText, isTextOrAbsent, openChannel } from '../../core/channel.ts';
import type { PipelineContext } from '../../core/contract.ts';
import type { OutboxEvent } from '../../core/events.ts';
import { currentPartition } from '../../core/signed-in.ts';
import type { Store } from '../../core/store.ts';
import { notify } from '../../core/tell.ts';

/** What a listener of `subscribe` hears. */
export type OutboxNews<Meta = unknown> = Typed<OutboxEvent, Meta> & {
  /** It happened in another tab or worker. */
  readonly elsewhere: boolean;
};

/** An event whose `meta`, if it has one, is the application's. */
type Typed<Event, Meta> = Event extends unknown
  ? 'meta' extends keyof Event
    ? Omit<Event, 'meta'> & { readonly meta?: Meta }
    : Event
  : never;

/** What tabs and workers tell each other: an event, whose it is, and of which entry. */
interface Word {
  readonly event: OutboxEvent;
  readonly partition: string;
  readonly key: string | undefined;
}

/** Tells what happens to entries: listeners here, and those in other tabs and workers. */
export class News {
  readonly #pipeline: PipelineContext;
  readonly #channel: Channel | undefined;
  readonly #listeners = new Set<(news: OutboxNews) => unknown>();

  /** @param heard Told what others tell of a user, whoever is signed in here. */
  constructor(
    pipeline: PipelineContext,
    { durable }: Store,
    heard: (event: OutboxEvent, partition: string, key: string | undefined) => void,
  ) {
    this.#pipeline = pipeline;
    if (!durable || !pipeline.host.canShareIO) return;
    this.#channel = openChannel(`holdfast outbox ${pipeline.name}`, readWord, ({ event, partition, key }) => {
      if (currentPartition(pipeline) === partition) this.#hear({ ...event, elsewhere: true });
      heard(event, partition, key);
    });
    pipeline.signal.addEventListener('abort', () => this.#channel?.close(), { once: true });
  }

  /** @returns ends the subscription. */
  subscribe(listener: (news: OutboxNews) => void): () => void {
    // The same function given twice is two subscriptions.
    const own = (news: OutboxNews): unknown => listener(news);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  /** @param key The entry's. */
  tell(event: OutboxEvent, partition: string, key?: string): void {
    this.#pipeline.emit?.(event);
    // Something of somebody's who has just left may still come to its end.
    if (currentPartition(this.#pipeline) === partition) this.#hear({ ...event, elsewhere: false });
    if (!this.#pipeline.signal.aborted) this.#channel?.post({ event, partition, key } satisfies Word);
  }

  #hear(news: OutboxNews): void {
    for (const listener of this.#listeners) notify(listener, news);
  }
}

/** The fields of events that something is done with; each may be absent. */
const TEXTS = ['id', 'origin', 'lane', 'callId', 'outcome', 'reason'] as const;
const NUMBERS = ['at', 'attempt', 'status'] as const;

function readWord(posted: unknown): Word | undefined {
  const { event, partition, key } = (posted ?? {}) as Partial<Word>;
  if (typeof event !== 'object' || event === null || !isText(event.type)) return undefined;
  const fields = event as Partial<Record<(typeof TEXTS | typeof NUMBERS)[number], unknown>>;
  const areTexts = TEXTS.every((name) => isTextOrAbsent(fields[name]));
  const areNumbers = NUMBERS.every((name) => fields[name] === undefined || Number.isFinite(fields[name]));
  // Of these without a lane nothing is known to be done.
  const hasLane = fields.lane !== undefined || !NEED_LANE.includes(event.type);
  if (!areTexts || !areNumbers || !hasLane || !isText(partition) || !isTextOrAbsent(key)) return undefined;
  return { event, partition, key };
}

const NEED_LANE: readonly string[] = ['queued', 'postponed', 'sending', 'replayed'];
