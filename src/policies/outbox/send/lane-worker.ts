import type { Handler, PipelineContext } from '../../../core/contract.ts';
import { watchUser } from '../../../core/user.ts';
import { withDeadline } from '../../../primitives/clock.ts';
import { isFailure } from '../../../primitives/failure.ts';
import { LruMap } from '../../../primitives/lru.ts';
import { Semaphore } from '../../../primitives/semaphore.ts';
import type { Completions } from '../completions.ts';
import type { OutboxEvents } from '../events.ts';
import { HOOK_TIMEOUT, type OutboxSettings, STORE_TIMEOUT } from '../options.ts';
import type { ResultWithBody } from '../queue/encryption.ts';
import type { OutboxEntry, Reason } from '../queue/entry.ts';
import type { EntryReader, PendingEntry } from '../queue/entry-reader.ts';
import type { Lease } from '../queue/lease.ts';
import type { Queue } from '../queue/queue.ts';
import { replaceRequest, serializeRequest } from '../queue/serialize.ts';
import { dueIn, type Respect, scheduleRetry } from './backoff.ts';
import { deliver, sendCall } from './delivery.ts';
import { isAtMostOnce } from './evaluate.ts';
import type { LaneGate, SendGate } from './gate.ts';
import { brief, hookFailed, type SendOutcome } from './outcome.ts';

/** What a lane does after an attempt; `reload`: go on with the entry that is first now. */
export type NextStep = 'continue' | 'reload' | 'stop';

/** What entitles this worker to send a lane. */
export interface LaneRights {
  readonly lease: Lease | undefined;
  readonly gate: LaneGate;
}

/** Sends one entry, and applies the outcome. */
export class LaneWorker {
  readonly #next: Handler;
  readonly #pipeline: PipelineContext;
  readonly #queue: Queue;
  readonly #completions: Completions;
  readonly #events: OutboxEvents;
  readonly #settings: OutboxSettings;
  readonly #gate: SendGate;
  /** Per origin, so that one that hangs does not block the others. */
  readonly #slots: LruMap<Semaphore>;
  /** Listeners for entries that were postponed. */
  readonly postponed = new Set<(key: string) => void>();

  constructor(
    next: Handler,
    pipeline: PipelineContext,
    queue: Queue,
    outcomes: Completions,
    events: OutboxEvents,
    settings: OutboxSettings,
    gate: SendGate,
  ) {
    this.#next = next;
    this.#pipeline = pipeline;
    this.#queue = queue;
    this.#completions = outcomes;
    this.#events = events;
    this.#settings = settings;
    this.#gate = gate;
    this.#slots = new LruMap(() => new Semaphore(settings.concurrency));
  }

  /** The reason to dead-letter an entry without sending it. */
  terminalReason(entry: OutboxEntry): Reason | undefined {
    if (this.#pipeline.host.clock.now() >= entry.expiresAt) return { ...entry.reason, code: 'expired' };
    if (entry.unreadable) return entry.reason;
    // The lane is ours, so the worker that began this attempt is gone.
    if (entry.claimedAt !== undefined && isAtMostOnce(entry, this.#settings))
      return { code: 'unknown-outcome', message: 'it was being sent, and its response was lost' };
    return undefined;
  }

  /** Sends as soon as a slot is free. Resolves when the outcome is on the disk. */
  send(pending: PendingEntry, drain: LaneRights): Promise<NextStep> {
    return this.#slots.get(pending.entry.origin).run(() => this.#send(pending, drain));
  }

  async #send(pending: PendingEntry, drain: LaneRights): Promise<NextStep> {
    const { entry } = pending;
    const { id, origin, lane, partition, attempts, unreachableCount = 0, key } = entry;
    const isAllowed = (): boolean => drain.gate.canStillSend(pending);
    // It may have waited for the slot.
    if (!isAllowed()) return 'reload';
    const call = sendCall(entry, this.#pipeline);
    const { outcome, settled } = await deliver(pending, {
      call,
      next: this.#next,
      queue: this.#queue,
      settings: this.#settings,
      lease: drain.lease,
      isAllowed,
      isSameUser: watchUser(partition, this.#pipeline),
      sending: () =>
        this.#events.emit(
          { type: 'sending', id, origin, lane, attempt: attempts + unreachableCount + 1, callId: call.id },
          partition,
          key,
        ),
    });
    // A closing page leaves unfinished attempts to the next page; a delivery is recorded.
    if (this.#pipeline.signal.aborted && outcome.is !== 'ack') return 'stop';
    switch (outcome.is) {
      case 'skip':
        return reloadOrStop(drain);
      case 'ack':
        return (await this.#completions.delivered(entry, settled as ResultWithBody, drain.lease))
          ? 'continue'
          : 'stop';
      case 'dead-letter':
        return this.deadLetter({ ...entry, attempts: attempts + 1 }, outcome.reason, settled, drain);
      case 'replace':
        return this.#replace(entry, outcome, settled, drain);
      case 'retry':
        return this.#retryLater(entry, outcome, settled, drain);
      default:
        this.#gate.pause(partition);
        await this.#stored(
          this.#queue.update(entry, { reason: outcome.reason, claimedAt: entry.claimedAt }, drain.lease),
        );
        this.#events.emit({ type: 'outbox-auth-required', id, origin, lane }, partition, key);
        this.#notifyPostponed(entry);
        return 'stop';
    }
  }

  async #retryLater(
    entry: OutboxEntry,
    outcome: Extract<SendOutcome, { is: 'retry' }>,
    settled: ResultWithBody | undefined,
    drain: LaneRights,
  ): Promise<NextStep> {
    const { id, origin, lane, partition, key, conflicts = 0, claimedAt } = entry;
    const { reason, cost } = outcome;
    const next = scheduleRetry(entry, outcome, this.#pipeline.host, this.#settings);
    if (next.attempts >= this.#settings.attempts)
      return this.deadLetter({ ...entry, ...next }, { ...reason, code: 'attempts' }, settled, drain);
    // Once an attempt may have arrived, the entry is not unsent any more.
    const mayHave = (cost === 'attempt' || cost === 'unreachable') && !isAtMostOnce(entry, this.#settings);
    const after = {
      ...next,
      reason,
      conflicts: reason.status === 409 ? conflicts + 1 : 0,
      ...(!mayHave && { claimedAt }),
    };
    await this.#stored(this.#queue.update(entry, after, drain.lease));
    this.#events.emit(
      { type: 'postponed', id, origin, lane, at: next.notBefore, cause: reason },
      partition,
      key,
    );
    this.#notifyPostponed(entry);
    return 'stop';
  }

  /** Sends the application's replacement at once; it counts as an attempt. */
  async #replace(
    entry: OutboxEntry,
    { request, reason }: Extract<SendOutcome, { is: 'replace' }>,
    settled: ResultWithBody | undefined,
    drain: LaneRights,
  ): Promise<NextStep> {
    const attempts = entry.attempts + 1;
    if (attempts >= this.#settings.attempts)
      return this.deadLetter({ ...entry, attempts }, { ...reason, code: 'attempts' }, settled, drain);
    try {
      // Its body may never end, and the lane waits for it.
      const reading = serializeRequest(request, this.#settings, this.#pipeline);
      const content = await withDeadline(HOOK_TIMEOUT, this.#pipeline, reading);
      const after = { ...replaceRequest(entry, content, this.#pipeline.host), attempts, reason };
      const isDone = await this.#stored(this.#queue.replaceRequest(entry, after, content.body, drain.lease));
      return isDone ? 'reload' : reloadOrStop(drain);
    } catch (error) {
      if (this.#pipeline.signal.aborted) return 'stop';
      const message = isFailure(error)
        ? brief(`onConflict: ${error.message}`)
        : hookFailed('onConflict', error);
      return this.deadLetter({ ...entry, attempts }, { ...reason, message }, settled, drain);
    }
  }

  /** Makes an entry a dead letter. */
  async deadLetter(
    entry: OutboxEntry,
    reason: Reason,
    settled: ResultWithBody | undefined,
    drain: LaneRights,
  ): Promise<NextStep> {
    const { attempts, unreachableCount = 0, notBefore, fromRetryAfter = false, unreachableSince } = entry;
    const { lease } = drain;
    const isDead = await this.#completions.deadLetter(entry, reason, {
      changes: {
        attempts,
        unreachableCount,
        notBefore,
        fromRetryAfter,
        unreachableSince,
        claimedAt: undefined,
      },
      ...(settled && { result: settled }),
      ...(lease && { fence: lease }),
    });
    return isDead ? 'continue' : reloadOrStop(drain);
  }

  /** Without the pipeline's signal: the write completes also while the page closes. */
  #stored<T>(work: Promise<T>): Promise<T> {
    return withDeadline(STORE_TIMEOUT, { host: this.#pipeline.host }, work);
  }

  #notifyPostponed({ key }: OutboxEntry): void {
    for (const listener of this.postponed) listener(key);
  }
}

/** The stored entry has changed. With leases, another process may have the lane: then it must be taken again. */
const reloadOrStop = ({ lease }: LaneRights): NextStep => (lease ? 'stop' : 'reload');

/** In how many ms to look at a lane again; `undefined`: when something happens. */
export type NextWakeup = number | undefined;

/** What a worker needs. */
export interface WorkerContext {
  readonly pipeline: PipelineContext;
  readonly queue: Queue;
  readonly worker: LaneWorker;
}

/** Sends the entries of a locked lane in order, until none is due. */
export async function drainLane(
  of: { readonly partition: string; readonly lane: string },
  respect: Respect,
  reader: EntryReader,
  gate: LaneGate,
  lease: Lease | undefined,
  { pipeline, queue, worker }: WorkerContext,
): Promise<NextWakeup> {
  const drain = { lease, gate };
  const due = (entry: OutboxEntry, but: Respect): number => dueIn(entry, pipeline.host.clock.now(), but);
  reader.reset();
  while (await gate.canSendNext()) {
    if (reader.isInvalidated) reader.reset();
    const pending = await reader.next();
    if (!pending) return undefined;
    const { entry } = pending;
    const reason = worker.terminalReason(entry);
    const wait = due(entry, respect);
    if (!reason && wait > 0) return wait;
    const next = reason
      ? await worker.deadLetter(entry, reason, undefined, drain)
      : await worker.send(pending, drain);
    if (next === 'stop') {
      // With the pipeline's signal: a closing page must release the lane.
      const head = await withDeadline(STORE_TIMEOUT, pipeline, queue.head(of.partition, of.lane));
      return head && due(head, 'all');
    }
    if (next === 'reload') reader.reset();
  }
  return undefined;
}
