import type { StoredBody } from '../../../core/store.ts';
import { newKey } from '../../../http/idempotency.ts';
import { ConfigurationError } from '../../../primitives/failure.ts';
import type { OutboxContext } from '../context.ts';
import { deserializeRequest, type OutboxEntry } from './entry.ts';
import type { EntriesQuery, ReplayOptions } from './queries.ts';
import { replaceRequest, serializeRequest } from './serialize.ts';

/** An entry with its body, as JSON. */
export interface ExportedEntry<Meta = unknown> {
  readonly entry: OutboxEntry<Meta>;
  /** Base64 of the body; absent if there is none. */
  readonly body?: string;
}

/** How many entries are read together. */
const PAGE = 100;

/** Sends a dead letter again. @returns false if there is none of that id. */
export async function replay(
  id: string,
  { key = 'same' }: ReplayOptions,
  context: OutboxContext,
): Promise<boolean> {
  const { queue, scheduler, events, pipeline, settings } = context;
  const entry = await queue.find(pipeline.partition(), id);
  if (entry?.state !== 'dead-letter') return false;
  const now = pipeline.host.clock.now();
  const requeued = await queue.transitions.requeue(entry, (found) => ({
    attempts: 0,
    unreachableCount: 0,
    conflicts: 0,
    unreachableSince: undefined,
    claimedAt: undefined,
    notBefore: 0,
    waitingSince: 0,
    fromRetryAfter: false,
    expiresAt: now + (found.ttl ?? settings.expiresAfter),
    ...(key === 'new' && {
      idempotencyKey: newKey(pipeline.host.random),
      revision: (found.revision ?? 0) + 1,
    }),
  }));
  if (!requeued) return false;
  const { origin, lane, partition } = entry;
  scheduler.requeued(entry, lane);
  events.emit({ type: 'replayed', id: entry.id, origin, lane }, partition, entry.key);
  void scheduler.drain(partition, lane);
  return true;
}

/**
 * Changes what a dead letter will send; it goes out under a new key when it is replayed.
 *
 * @returns false if there is none of that id.
 */
export async function edit(
  id: string,
  change: (request: Request, entry: OutboxEntry) => Request | Promise<Request>,
  context: OutboxContext,
): Promise<boolean> {
  const { queue, pipeline, settings, ask } = context;
  const entry = await ask(() => queue.find(pipeline.partition(), id));
  if (entry?.state !== 'dead-letter' || entry.unreadable) return false;
  const body = await ask(() => queue.body(entry));
  const request = await change(deserializeRequest(entry, body), entry);
  if (!(request instanceof Request))
    throw new ConfigurationError('edit.change', request, 'expected a function that returns a Request');
  const content = await serializeRequest(request, settings, pipeline);
  const edited = await ask(() =>
    queue.replaceRequest(entry, replaceRequest(entry, content, pipeline.host), content.body),
  );
  const { origin, lane, partition, key } = entry;
  if (edited) context.events.emit({ type: 'edited', id, origin, lane }, partition, key);
  return edited;
}

/** What an entry sends, with its body. */
export async function requestOf(
  id: string,
  { queue, pipeline }: OutboxContext,
): Promise<Request | undefined> {
  const entry = await queue.find(pipeline.partition(), id);
  return entry && !entry.unreadable ? deserializeRequest(entry, await queue.body(entry)) : undefined;
}

/** Removes the current user's dead letters. @returns how many. */
export async function purge({ queue, pipeline, completions: outcomes, ask }: OutboxContext): Promise<number> {
  // Another user may sign in during the loop.
  const partition = pipeline.partition();
  let purged = 0;
  for (;;) {
    const dead = await ask(() => queue.list(partition, { state: 'dead-letter', limit: PAGE }, 'best-effort'));
    if (dead.length === 0) return purged;
    for (const entry of dead) if (await ask(() => outcomes.remove(entry))) purged++;
  }
}

/** All entries of a query, page by page, with their bodies. */
export async function* exportEntries(
  query: EntriesQuery,
  { queue, pipeline, ask }: OutboxContext,
): AsyncGenerator<ExportedEntry> {
  const { limit = Infinity, ...rest } = query;
  const partition = pipeline.partition();
  let { after } = query;
  for (let left = limit; left > 0; ) {
    const page = { ...rest, limit: Math.min(PAGE, left), ...(after !== undefined && { after }) };
    const entries = await ask(() => queue.list(partition, page));
    for (const entry of entries) {
      const body = entry.unreadable ? undefined : await ask(() => queue.body(entry));
      yield { entry, ...(body !== undefined && { body: await base64(body) }) };
    }
    after = entries.at(-1)?.key;
    left -= entries.length;
    if (after === undefined) return;
  }
}

async function base64(body: StoredBody): Promise<string> {
  const bytes = new Uint8Array(await new Blob([body]).arrayBuffer());
  let text = '';
  // A call takes fewer arguments than a body has bytes.
  for (let at = 0; at < bytes.length; at += 0x8000)
    text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}
