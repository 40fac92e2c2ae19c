import { carriesCredentials } from '../../http/credentials.ts';
import type { OutboxContext } from './context.ts';
import type { OutboxEntry, Reason, ResultWithBody, StoredResult } from './queue/entry.ts';
import type { Lease } from './queue/lease.ts';
import type { EntryRecord } from './queue/records.ts';
import * as transitions from './queue/transitions.ts';

/** Acknowledges an entry on the disk. @throws the store's error; the entry stays queued. */
export async function acknowledgeEntry(
  { queue, events, settings }: OutboxContext,
  entry: OutboxEntry,
  result: ResultWithBody,
  lease?: Lease,
): Promise<void> {
  const found = await transitions.acknowledge(queue, entry, storable(result, settings.resultTtl), lease);
  // Removed in between: its removal was emitted. A browser that deletes the database emits nothing; waiting callers get their
  // result.
  if (!found) return events.recheck(entry.key, result);
  const status = result.result.response?.status ?? 0;
  events.emit(entry, { type: 'delivered', status });
  events.emit(entry, { type: 'settled', outcome: 'delivered', status, meta: entry.meta }, result);
}

/**
 * Makes an entry a dead letter.
 *
 * @param fields Further fields to change.
 * @returns false if the entry has changed or the lane was lost: nothing was written.
 */
export async function deadLetterEntry(
  { queue, events, settings, pipeline }: OutboxContext,
  entry: OutboxEntry,
  fields: Partial<EntryRecord>,
  reason: Reason,
  response: ResultWithBody | undefined,
  lease?: Lease,
): Promise<boolean> {
  const base = response?.result ?? { id: entry.id, settledAt: pipeline.host.clock.now() };
  const result = { result: { ...base, delivered: false, reason }, body: response?.body };
  const stored = storable(result, settings.resultTtl);
  if (!(await transitions.deadLetter(queue, entry, fields, reason, stored, lease))) return false;
  const { code, status } = reason;
  events.emit(entry, { type: 'dead-lettered', reason: code, status });
  const outcome = { outcome: 'dead-lettered', reason: code, status, meta: entry.meta } as const;
  events.emit(entry, { type: 'settled', ...outcome }, result);
  return true;
}

/** Removes an entry in any state, as the application decided. @returns whether it was there. */
export async function removeEntry(
  { queue, events, scheduler, pipeline }: OutboxContext,
  entry: OutboxEntry,
): Promise<boolean> {
  const { id, meta, partition, lane, key } = entry;
  if (!(await transitions.remove(queue, entry))) {
    // If it was delivered just now, waiting callers read that result.
    events.recheck(key);
    return false;
  }
  const settledAt = pipeline.host.clock.now();
  const result: StoredResult = { id, settledAt, delivered: false, reason: { code: 'removed' } };
  events.emit(entry, { type: 'removed' });
  events.emit(entry, { type: 'settled', outcome: 'removed', meta }, { result, body: undefined });
  // It may have stopped its lane.
  if (entry.blockLaneOnFailure) void scheduler.drain(partition, lane);
  return true;
}

/** The result as it is stored: always a record, so that a reused id is recognised. */
function storable({ result, body }: ResultWithBody, ttl: number): ResultWithBody {
  const { response, ...bare } = result;
  if (!response || ttl === 0) return { result: bare, body: undefined };
  const headers = response.headers.filter(([name]) => !carriesCredentials(name));
  return { result: { ...bare, response: { ...response, headers } }, body };
}
