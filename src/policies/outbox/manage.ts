import type { StoredBody } from '../../core/store.ts';
import { currentPartition } from '../../core/user.ts';
import { newKey } from '../../http/idempotency.ts';
import { notify } from '../../primitives/emitter.ts';
import { ConfigurationError } from '../../primitives/failure.ts';
import type { OutboxContext } from './context.ts';
import { purgePartition } from './queue/cleanup.ts';
import type { OutboxEntry, StoredResult } from './queue/entry.ts';
import { isPaused, readPauses, setPaused } from './queue/pauses.ts';
import type { EntriesQuery, FlushOptions, FlushProgress } from './queue/queries.ts';
import { sortableTimestamp } from './queue/records.ts';
import { deserializeRequest, serializeRequest } from './queue/serialize.ts';
import { remove, replaceRequest, requeue } from './queue/transitions.ts';
import { dueIn } from './send/backoff.ts';

export interface OutboxCounts {
  /** Waiting entries of the current user, or of one lane. */
  readonly waiting: number;
  readonly deadLetters: number;
  /** Waiting entries of all users: `maxEntries` limits them. */
  readonly count: number;
  /** Bytes of their bodies: `maxBytes` limits them. */
  readonly bytes: number;
  /** The current user's entries are not sent: the application has paused them, or the credentials were refused. */
  readonly paused?: 'application' | 'credentials';
}

export interface LaneInfo {
  readonly lane: string;
  readonly waiting: number;
  /** The application has paused it. */
  readonly paused: boolean;
  /** The dead letter that stops it (`blockLaneOnFailure`). */
  readonly stoppedBy?: string;
  /** When its next one may be sent; wall time in ms. Absent: nothing waits. */
  readonly dueAt?: number;
}

/** An entry with its body, as JSON. */
export interface ExportedEntry<Meta = unknown> {
  readonly entry: OutboxEntry<Meta>;
  /** Base64 of the body; absent if there is none. */
  readonly body?: string;
}

/** How many entries are read together. */
const PAGE = 100;

export async function counts(
  lane: string | undefined,
  { queue, pipeline, gate }: OutboxContext,
): Promise<OutboxCounts> {
  const partition = currentPartition(pipeline);
  const { count, bytes } = await queue.totals();
  if (partition === undefined) return { waiting: 0, deadLetters: 0, count, bytes };
  const [waiting, deadLetters, { all }] = await Promise.all([
    queue.count('waiting', partition, lane),
    queue.count('dead-letter', partition, lane),
    readPauses(queue, partition),
  ]);
  const paused = all ? 'application' : gate.isPaused(partition) ? 'credentials' : undefined;
  return { waiting, deadLetters, count, bytes, ...(paused && { paused }) };
}

/** The current user's lanes that have waiting entries, or are paused or stopped. */
export async function lanes({ queue, pipeline }: OutboxContext): Promise<LaneInfo[]> {
  const partition = currentPartition(pipeline);
  if (partition === undefined) return [];
  const now = pipeline.host.clock.now();
  const [waiting, pauses] = await Promise.all([queue.lanes(partition), readPauses(queue, partition)]);
  const stoppers = new Map(pauses.stopped);
  const all = [...new Set([...waiting, ...pauses.lanes, ...stoppers.keys()])].sort();
  return Promise.all(
    all.map(async (lane) => {
      const stopper = stoppers.get(lane);
      const stoppedBy = stopper === undefined ? undefined : (await queue.get(stopper))?.id;
      const [head] = await queue.list(partition, { lane, limit: 1 });
      return {
        lane,
        waiting: await queue.count('waiting', partition, lane),
        paused: isPaused({ ...pauses, stopped: [] }, lane),
        ...(stoppedBy !== undefined && { stoppedBy }),
        ...(head && { dueAt: now + dueIn(head, now, 'all') }),
      };
    }),
  );
}

/** Pauses a lane, or all lanes of the current user: in every tab, and after a reload. */
export async function pause(
  lane: string | undefined,
  { queue, pipeline, events }: OutboxContext,
): Promise<void> {
  const partition = pipeline.partition();
  if (await setPaused(queue, partition, lane, true))
    events.emitOf(partition, { type: 'outbox-paused', lane });
}

/** Resumes a lane, or all lanes of the current user, also after a 401. */
export async function resume(
  lane: string | undefined,
  { queue, pipeline, events }: OutboxContext,
): Promise<void> {
  const partition = pipeline.partition();
  await setPaused(queue, partition, lane, false);
  events.emitOf(partition, { type: 'outbox-resumed', lane });
}

/** Removes an entry in any state. @returns false if it has changed since it was read. */
async function removeEntry(
  entry: OutboxEntry,
  { queue, events, scheduler, pipeline }: OutboxContext,
): Promise<boolean> {
  const { id, meta, partition, lane, key } = entry;
  if (!(await remove(queue, entry))) {
    // If it was delivered just now, waiting callers read that result.
    events.recheck(key);
    return false;
  }
  const finishedAt = pipeline.host.clock.now();
  const result: StoredResult = { id, finishedAt, delivered: false, reason: { code: 'removed' } };
  events.emit(entry, { type: 'removed' });
  events.emit(entry, { type: 'finished', outcome: 'removed', meta }, { result, body: undefined });
  // It may have stopped its lane.
  if (entry.blockLaneOnFailure) void scheduler.drain(partition, lane);
  return true;
}

/** @returns false if there is none of that id. */
export async function removeById(id: string, context: OutboxContext): Promise<boolean> {
  const partition = context.pipeline.partition();
  for (;;) {
    const entry = await context.queue.find(partition, id, 'best-effort');
    if (!entry) return false;
    if (await removeEntry(entry, context)) return true;
  }
}

/** Removes the entries of a user in a state. @returns how many. */
export async function removeAll(
  partition: string,
  state: OutboxEntry['state'],
  context: OutboxContext,
): Promise<number> {
  for (let removed = 0; ; ) {
    const entries = await context.queue.list(partition, { state, limit: PAGE }, 'best-effort');
    if (entries.length === 0) return removed;
    for (const entry of entries) if (await removeEntry(entry, context)) removed++;
  }
}

/** Removes everything of a user: waiting entries, dead letters, results. @returns how many entries. */
export async function clear(partition: string, context: OutboxContext): Promise<number> {
  for (const write of context.arriving) if (write.partition === partition) write.isRemoved = true;
  const waiting = await removeAll(partition, 'waiting', context);
  const removed = waiting + (await removeAll(partition, 'dead-letter', context));
  await purgePartition(context.queue, partition, context.pipeline.host.clock.now());
  return removed;
}

/** Sends a dead letter again. @returns false if there is none of that id. */
export async function replay(
  id: string,
  key: 'same' | 'new',
  { queue, scheduler, events, pipeline, settings }: OutboxContext,
): Promise<boolean> {
  const { clock, random } = pipeline.host;
  const entry = await queue.find(pipeline.partition(), id);
  if (entry?.state !== 'dead-letter') return false;
  const { ttl = settings.expiresAfter, revision = 0, partition, lane } = entry;
  const requeued = await requeue(queue, entry, {
    attempts: 0,
    unreachableCount: 0,
    conflicts: 0,
    unreachableSince: undefined,
    claimedAt: undefined,
    notBefore: 0,
    waitingSince: 0,
    fromRetryAfter: false,
    expiresAt: clock.now() + ttl,
    ...(key === 'new' && { idempotencyKey: newKey(random), revision: revision + 1 }),
  });
  if (!requeued) return false;
  events.emit(entry, { type: 'replayed' });
  void scheduler.drain(partition, lane);
  return true;
}

/**
 * Changes the request of a dead letter; it goes out under a new key when it is replayed.
 *
 * @returns false if there is none of that id.
 */
export async function edit(
  id: string,
  change: (request: Request, entry: OutboxEntry) => Request | Promise<Request>,
  { queue, events, pipeline, settings }: OutboxContext,
): Promise<boolean> {
  const entry = await queue.find(pipeline.partition(), id);
  if (entry?.state !== 'dead-letter' || entry.unreadable) return false;
  const request = await change(deserializeRequest(entry, await queue.body(entry)), entry);
  if (!(request instanceof Request))
    throw new ConfigurationError('edit.change', request, 'expected a function that returns a Request');
  const content = await serializeRequest(request, settings, pipeline);
  const edited = await replaceRequest(queue, entry, content, pipeline.host);
  if (edited) events.emit(entry, { type: 'edited' });
  return edited;
}

/** The stored request of an entry, with its body. */
export async function requestOf(
  id: string,
  { queue, pipeline }: OutboxContext,
): Promise<Request | undefined> {
  const entry = await queue.find(pipeline.partition(), id);
  return entry && !entry.unreadable ? deserializeRequest(entry, await queue.body(entry)) : undefined;
}

/** All entries of a query, page by page, with their bodies. */
export async function* exportEntries(
  query: EntriesQuery,
  { queue, pipeline }: OutboxContext,
): AsyncGenerator<ExportedEntry> {
  const partition = pipeline.partition();
  let { after } = query;
  for (let left = query.limit ?? Infinity; left > 0; ) {
    const entries = await queue.list(partition, { ...query, after, limit: Math.min(PAGE, left) });
    for (const entry of entries) {
      const body = entry.unreadable ? undefined : await queue.body(entry);
      yield { entry, ...(body !== undefined && { body: await base64(body) }) };
    }
    after = entries.at(-1)?.key;
    left -= entries.length;
    if (after === undefined) return;
  }
}

/** Sends all waiting entries now. If no user is signed in, there are none. */
export async function flush(
  { due, signal, onProgress }: FlushOptions,
  { queue, pipeline, scheduler, events }: OutboxContext,
): Promise<FlushProgress> {
  const partition = currentPartition(pipeline);
  if (partition === undefined) return { total: 0, delivered: 0, deadLetters: 0, left: 0 };
  const [total, { lastTimestamp }] = await Promise.all([queue.count('waiting', partition), queue.totals()]);
  /** Before the keys of all entries that are accepted from now on. */
  const end = queue.keys.entry(sortableTimestamp(lastTimestamp + 1));
  const counts = { delivered: 0, 'dead-lettered': 0, removed: 0 };
  const seen = new Set<string>();
  const progress = (): FlushProgress => {
    const { delivered, 'dead-lettered': deadLetters, removed } = counts;
    const left = Math.max(0, total - delivered - deadLetters - removed);
    return { total, delivered, deadLetters, left };
  };
  const unwatch = events.watch(({ event, partition: owner, key }) => {
    const isEnd = event.type === 'finished';
    if (owner !== partition || key === undefined || !(isEnd || event.type === 'replayed')) return;
    // Entries that were enqueued or replayed since then do not count, and each counts once.
    if (key >= end || seen.has(key)) return;
    seen.add(key);
    if (!isEnd) return;
    counts[event.outcome]++;
    if (onProgress) notify(onProgress, progress());
  });
  try {
    await scheduler.flush(signal, due === true ? 'all' : due || 'none');
    events.recheckAll();
  } finally {
    unwatch();
  }
  return { ...progress(), left: await queue.count('waiting', partition) };
}

async function base64(body: StoredBody): Promise<string> {
  const bytes = new Uint8Array(await new Blob([body]).arrayBuffer());
  let text = '';
  // A call takes fewer arguments than a body has bytes.
  for (let at = 0; at < bytes.length; at += 0x8000)
    text += String.fromCharCode(...bytes.subarray(at, at + 0x8000));
  return btoa(text);
}
