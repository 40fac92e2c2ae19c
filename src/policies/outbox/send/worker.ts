import { carriesCredentials } from '../../../http/credentials.ts';
import { withDeadline } from '../../../primitives/clock.ts';
import { isFailure } from '../../../primitives/failure.ts';
import type { OutboxContext } from '../context.ts';
import { HOOK_TIMEOUT } from '../options.ts';
import type { EntryWithBody, OutboxEntry, Reason, ResultWithBody } from '../queue/entry.ts';
import type { Lease } from '../queue/lease.ts';
import { isPaused, type PauseState, readPauses } from '../queue/pauses.ts';
import { serializeRequest } from '../queue/serialize.ts';
import * as transitions from '../queue/transitions.ts';
import { dueIn, type Respect, type Schedule, scheduleRetry } from './backoff.ts';
import { deliver, type EntryToSend } from './delivery.ts';
import { brief, hookFailed, isAtMostOnce, type SendOutcome } from './outcome.ts';

/** A lane of a partition, while it is drained. */
export interface Lane {
  readonly partition: string;
  readonly lane: string;
  /** Both as one name. */
  readonly name: string;
  /** Keys of entries that have ended since the last one was read, here or in another tab. */
  readonly ended: Set<string>;
}

/**
 * Sends the entries of a locked lane in order, until none is due. Each is read when it is first, and has ended on the disk before the
 * next one is read.
 *
 * @returns in how many ms to look at the lane again; `undefined`: when something happens.
 */
export async function drainLane(
  lane: Lane,
  respect: Respect,
  lease: Lease | undefined,
  context: OutboxContext,
): Promise<number | undefined> {
  const { gate, queue, pipeline, slots, scheduler } = context;
  const { clock } = pipeline.host;
  const dueOf = ({ entry }: EntryWithBody, but: Respect): number => dueIn(entry, clock.now(), but);
  const isOpen = (): boolean => gate.isOpen(lane.partition) && !scheduler.isStopped() && !lease?.lost;
  let pauses: PauseState | undefined;
  /** The version of the pauses that were read. */
  let version = -1;
  while (isOpen()) {
    if (!pauses || version !== gate.version) {
      version = gate.version;
      pauses = await readPauses(queue, lane.partition);
      continue;
    }
    if (isPaused(pauses, lane.lane)) return undefined;
    lane.ended.clear();
    const readAt = clock.ticks();
    const first = await queue.head(lane.partition, lane.lane);
    if (!first) return undefined;
    const { entry } = first;
    const reason = terminalReason(entry, context);
    const wait = dueOf(first, respect);
    if (!reason && wait > 0) return wait;
    const isAllowed = (): boolean =>
      isOpen() && version === gate.version && !lane.ended.has(entry.key) && clock.now() < entry.expiresAt;
    const sending = { ...first, readAt, lease, signOuts: pauses.signOuts, isAllowed };
    const goesOn = reason
      ? await deadLetter(sending, {}, reason, undefined, context)
      : await slots.get(entry.origin).run(() => underWay(entry, context, send(sending, context)));
    if (!goesOn) break;
    // Another process may have paused it, of which no message comes.
    if (lease) pauses = undefined;
  }
  // Another process may have the lane, or its first entry was postponed.
  const first = isOpen() || lease?.lost ? await queue.head(lane.partition, lane.lane) : undefined;
  return first && dueOf(first, 'all');
}

/** Keeps an attempt in `attempts` until it is over: callers whose entry has vanished from the store wait for it. */
function underWay<T>({ key }: OutboxEntry, { attempts }: OutboxContext, attempt: Promise<T>): Promise<T> {
  const over = (): void => void (attempts.get(key) === ended && attempts.delete(key));
  const ended: Promise<void> = attempt.then(over, over);
  attempts.set(key, ended);
  return attempt;
}

/** The reason to dead-letter an entry without sending it. */
function terminalReason(entry: OutboxEntry, { pipeline, settings }: OutboxContext): Reason | undefined {
  // This worker has the lane, so the one that began this attempt is gone.
  if (entry.claimedAt !== undefined && isAtMostOnce(entry, settings))
    return { code: 'unknown-outcome', message: 'it was being sent, and its response was lost' };
  if (pipeline.host.clock.now() >= entry.expiresAt) return { ...entry.reason, code: 'expired' };
  return entry.unreadable ? entry.reason : undefined;
}

/** Sends an entry, and applies the outcome on the disk. @returns whether the lane goes on with the entry that is first then. */
async function send(sending: EntryToSend, context: OutboxContext): Promise<boolean> {
  const { entry, lease } = sending;
  const { pipeline, queue, events, gate } = context;
  // It may have waited for the slot.
  if (!sending.isAllowed()) return true;
  const { outcome, response, mayHaveArrived = false } = await deliver(sending, context);
  // A closing page leaves unfinished attempts to the next page; a delivery is recorded.
  if (pipeline.signal.aborted && outcome.is !== 'ack') return false;
  switch (outcome.is) {
    case 'skip':
      return true;
    case 'ack':
      await acknowledge(sending, response as ResultWithBody, context);
      return true;
    case 'dead-letter':
      return deadLetter(sending, { attempts: entry.attempts + 1 }, outcome.reason, response, context);
    case 'replace':
      return replace(sending, outcome, response, context);
    case 'retry':
      return retryLater(sending, outcome, response, mayHaveArrived, context);
    default: {
      const fields = { reason: outcome.reason, ...claimAfter(entry, mayHaveArrived, context) };
      // An entry that was removed says nothing of the others: the next one asks for itself.
      if (!(await transitions.update(queue, entry, fields, lease))) return false;
      gate.pause(entry.partition);
      events.emit(entry, { type: 'outbox-auth-required' });
      return false;
    }
  }
}

async function retryLater(
  sending: EntryToSend,
  outcome: Extract<SendOutcome, { is: 'retry' }>,
  response: ResultWithBody | undefined,
  mayHaveArrived: boolean,
  context: OutboxContext,
): Promise<boolean> {
  const { entry, lease } = sending;
  const { queue, events, pipeline, settings } = context;
  const { reason, cost } = outcome;
  const next = scheduleRetry(entry, outcome, pipeline.host, settings);
  if (next.attempts >= settings.attempts)
    return deadLetter(sending, next, { ...reason, code: 'attempts' }, response, context);
  const after = {
    ...next,
    reason,
    conflicts: reason.status === 409 ? (entry.conflicts ?? 0) + 1 : 0,
    ...claimAfter(entry, mayHaveArrived || cost === 'attempt' || cost === 'unreachable', context),
  };
  if (await transitions.update(queue, entry, after, lease))
    events.emit(entry, { type: 'postponed', at: next.notBefore, cause: reason });
  return false;
}

/** The claim of an entry after an attempt: once one may have arrived, the entry is not unsent any more. */
const claimAfter = (
  entry: OutboxEntry,
  mayHaveArrived: boolean,
  { settings }: OutboxContext,
): Pick<OutboxEntry, 'claimedAt'> | undefined =>
  mayHaveArrived && !isAtMostOnce(entry, settings) ? undefined : { claimedAt: entry.claimedAt };

/** Sends the application's replacement at once; it counts as an attempt. */
async function replace(
  sending: EntryToSend,
  { request, reason }: Extract<SendOutcome, { is: 'replace' }>,
  response: ResultWithBody | undefined,
  context: OutboxContext,
): Promise<boolean> {
  const { entry, lease } = sending;
  const { queue, pipeline, settings } = context;
  const attempts = entry.attempts + 1;
  if (attempts >= settings.attempts)
    return deadLetter(sending, { attempts }, { ...reason, code: 'attempts' }, response, context);
  let content: Awaited<ReturnType<typeof serializeRequest>>;
  try {
    // Its body may never end, and the lane waits for it.
    content = await withDeadline(HOOK_TIMEOUT, pipeline, serializeRequest(request, settings, pipeline));
  } catch (error) {
    if (pipeline.signal.aborted) return false;
    const message = isFailure(error)
      ? brief(`onConflict: ${error.message}`)
      : hookFailed('onConflict', error);
    return deadLetter(sending, { attempts }, { ...reason, message }, response, context);
  }
  await transitions.replaceRequest(queue, entry, content, pipeline.host, { attempts, reason }, lease);
  return true;
}

/** First on the disk, then as events. @throws the store's error; the entry stays queued. */
async function acknowledge(
  { entry, ...sender }: EntryToSend,
  response: ResultWithBody,
  { queue, events, settings }: OutboxContext,
): Promise<void> {
  const stored = storable(response, settings.resultTtl);
  // If it was removed in between, that was emitted. A browser that deletes the database emits nothing: waiting callers get their
  // result.
  if (!(await transitions.acknowledge(queue, entry, stored, sender)))
    return events.recheck(entry.key, response);
  const status = response.result.response?.status ?? 0;
  events.emit(entry, { type: 'delivered', status });
  events.emit(entry, { type: 'finished', outcome: 'delivered', status, meta: entry.meta }, response);
}

/**
 * Makes an entry a dead letter, unless it has changed or the lane was lost.
 *
 * @param schedule With the attempts that it has had.
 * @returns true: the lane goes on with the entry that is first then.
 */
async function deadLetter(
  { entry, ...sender }: EntryToSend,
  schedule: Partial<Schedule>,
  reason: Reason,
  response: ResultWithBody | undefined,
  { queue, events, settings, pipeline, gate }: OutboxContext,
): Promise<boolean> {
  const base = response?.result ?? { id: entry.id, finishedAt: pipeline.host.clock.now() };
  const result = { result: { ...base, delivered: false, reason }, body: response?.body };
  const stored = storable(result, settings.resultTtl);
  const fields = { ...schedule, claimedAt: undefined };
  if (!(await transitions.deadLetter(queue, entry, fields, reason, stored, sender))) {
    // Perhaps it is one already, and the store was late to say so: then it may stop its lane.
    gate.changed();
    return true;
  }
  const { code, status } = reason;
  events.emit(entry, { type: 'dead-lettered', reason: code, status });
  const outcome = { outcome: 'dead-lettered', reason: code, status, meta: entry.meta } as const;
  events.emit(entry, { type: 'finished', ...outcome }, result);
  return true;
}

/** The result as it is stored: always a record, so that a reused id is recognised. */
function storable({ result, body }: ResultWithBody, ttl: number): ResultWithBody {
  const { response, ...bare } = result;
  if (!response || ttl === 0) return { result: bare, body: undefined };
  const headers = response.headers.filter(([name]) => !carriesCredentials(name));
  return { result: { ...bare, response: { ...response, headers } }, body };
}
