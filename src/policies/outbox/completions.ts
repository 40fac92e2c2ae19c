import type { PipelineContext } from '../../core/contract.ts';
import { carriesCredentials } from '../../http/credentials.ts';
import { withDeadline } from '../../primitives/clock.ts';
import type { OutboxEvents } from './events.ts';
import { type OutboxSettings, STORE_TIMEOUT } from './options.ts';
import type { EntryRecord, ResultWithBody } from './queue/encryption.ts';
import type { OutboxEntry, Reason, StoredResult } from './queue/entry.ts';
import type { Queue } from './queue/queue.ts';
import type { Fence } from './queue/records.ts';
import type { ResultWaiters } from './results.ts';

/** How an entry ended. */
export type FinalState = 'delivered' | 'dead-lettered' | 'removed';

/** Ends entries: writes the transition, then emits it to listeners and other tabs. */
export class Completions {
  readonly #pipeline: PipelineContext;
  readonly #queue: Queue;
  readonly #waiters: ResultWaiters;
  readonly #events: OutboxEvents;
  readonly #settings: OutboxSettings;
  readonly #ended: (entry: OutboxEntry, outcome: FinalState) => void;

  /** @param onEnded Called for each entry that has ended. */
  constructor(
    pipeline: PipelineContext,
    queue: Queue,
    waiters: ResultWaiters,
    events: OutboxEvents,
    settings: OutboxSettings,
    onEnded: (entry: OutboxEntry, outcome: FinalState) => void,
  ) {
    this.#ended = onEnded;
    this.#pipeline = pipeline;
    this.#queue = queue;
    this.#waiters = waiters;
    this.#events = events;
    this.#settings = settings;
  }

  /**
   * Acknowledges an entry on the disk.
   *
   * @returns whether the lane is still ours.
   * @throws the store's error; the entry stays queued.
   */
  async delivered(entry: OutboxEntry, result: ResultWithBody, fence?: Fence): Promise<boolean> {
    let isLate = false;
    const onBeforeWrite = (): void => {
      // By then another attempt may have begun.
      if (isLate) throw new Error('acknowledge timed out; the entry stays queued');
    };
    const acknowledgement = this.#queue.transitions.acknowledge(
      entry,
      this.#storedResult(result),
      onBeforeWrite,
      fence,
    );
    const notified = ({ found }: { readonly found: boolean }): void =>
      this.#emitDelivered(entry, result, found);
    try {
      const onEnded = await this.#stored(acknowledgement);
      notified(onEnded);
      return onEnded.isOurs;
    } catch (error) {
      isLate = true;
      // The write may have begun before the timeout.
      acknowledgement.then(notified, () => {});
      throw error;
    }
  }

  #emitDelivered(entry: OutboxEntry, result: ResultWithBody, found: boolean): void {
    const { id, origin, lane, partition, key, meta } = entry;
    // Removed in between: its removal was emitted. A browser that deletes the database emits nothing; waiting callers get
    // their result.
    if (!found) {
      this.#waiters.notify(key, result);
      return;
    }
    const status = result.result.response?.status ?? 0;
    this.#events.emit({ type: 'delivered', id, origin, lane, status }, partition, key);
    this.#waiters.notify(key, result);
    this.#events.emit(
      { type: 'settled', id, origin, lane, outcome: 'delivered', status, meta },
      partition,
      key,
    );
    this.#ended(entry, 'delivered');
  }

  /**
   * Makes an entry a dead letter.
   *
   * @param changes Further fields to change.
   * @returns false if the entry has changed or the lane was lost: nothing was written.
   */
  async deadLetter(
    entry: OutboxEntry,
    reason: Reason,
    {
      result,
      changes = {},
      fence,
    }: { result?: ResultWithBody; changes?: Partial<EntryRecord>; fence?: Fence } = {},
  ): Promise<boolean> {
    const { id, origin, lane, partition, key, meta } = entry;
    const base = result?.result ?? this.#undelivered(id, reason);
    const resultWithBody = { result: { ...base, delivered: false, reason }, body: result?.body };
    const written = this.#queue.transitions.deadLetter(
      entry,
      changes,
      reason,
      this.#storedResult(resultWithBody),
      fence,
    );
    if (!(await this.#stored(written))) return false;
    const { code, status } = reason;
    this.#events.emit({ type: 'dead-lettered', id, origin, lane, reason: code, status }, partition, key);
    this.#waiters.notify(key, resultWithBody);
    this.#events.emit(
      { type: 'settled', id, origin, lane, outcome: 'dead-lettered', reason: code, status, meta },
      partition,
      key,
    );
    this.#ended(entry, 'dead-lettered');
    return true;
  }

  /** Removes an entry in any state, as the application decided. @returns whether it was there. */
  async remove(entry: OutboxEntry): Promise<boolean> {
    const { id, origin, lane, partition, key, meta } = entry;
    const result = { result: this.#undelivered(id, { code: 'removed' }), body: undefined };
    const found = await this.#queue.transitions.remove(entry);
    if (found) this.#events.emit({ type: 'removed', id, origin, lane }, partition, key);
    // If it was delivered just now, waiting callers read that result.
    if (found) this.#waiters.notify(key, result);
    else this.#waiters.notify(key);
    if (found)
      this.#events.emit({ type: 'settled', id, origin, lane, outcome: 'removed', meta }, partition, key);
    this.#ended(entry, 'removed');
    return found;
  }

  /** Without the pipeline's signal: the write completes also while the page closes. */
  #stored<T>(work: Promise<T>): Promise<T> {
    return withDeadline(STORE_TIMEOUT, { host: this.#pipeline.host }, work);
  }

  #undelivered(id: string, reason: Reason): StoredResult {
    return { id, settledAt: this.#pipeline.host.clock.now(), delivered: false, reason };
  }

  /** Always a result record, so that a reused id is recognised. */
  #storedResult({ result, body }: ResultWithBody): ResultWithBody {
    const { response, ...bare } = result;
    if (this.#settings.resultTtl === 0) return { result: bare, body: undefined };
    if (!response) return { result, body };
    const headers = response.headers.filter(([name]) => !carriesCredentials(name));
    return { result: { ...result, response: { ...response, headers } }, body };
  }
}
