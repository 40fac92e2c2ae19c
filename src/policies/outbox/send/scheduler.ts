import type { Handler, PipelineContext } from '../../../core/contract.ts';
import { currentPartition } from '../../../core/user.ts';
import { withDeadline } from '../../../primitives/clock.ts';
import { withLock } from '../../../primitives/locks.ts';
import type { Completions, FinalState } from '../completions.ts';
import type { OutboxEvents } from '../events.ts';
import { type OutboxSettings, STORE_TIMEOUT } from '../options.ts';
import type { OutboxEntry } from '../queue/entry.ts';
import { EntryReader } from '../queue/entry-reader.ts';
import { Lease, needsLease } from '../queue/lease.ts';
import type { Queue } from '../queue/queue.ts';
import { emitStoreFailed, type StoreHandle, withStoreTimeout } from '../store-handle.ts';
import { mostUrgent, type Respect } from './backoff.ts';
import { LaneGate, SendGate } from './gate.ts';
import { drainLane, LaneWorker, type WorkerContext } from './lane-worker.ts';
import { type Lane, LaneTimers, laneOf } from './lanes.ts';

/** How long to wait for a lane's lock, in ms, before another page is taken to send it. */
const LOCK_TIMEOUT = 10_000;

/** How long after a write of another page this page starts to send it, in ms, if that page does not. */
const FAILOVER_DELAY = 500;

/** How many lanes are checked at once. Most have nothing due, or wait for a slot. */
const MAX_CONCURRENT_LANES = 50;

/** A lane that this page drains, or waits for. */
interface Draining {
  /** Set if the lane is to be drained again afterwards, with the waits to respect then. */
  again: Respect | undefined;
  /** How many callers wait for this drain. */
  callers: number;
  done: Promise<void>;
  readonly reader: EntryReader;
  /** As `done`, but does not wait for another page. */
  readonly startedOrRemote: Promise<void>;
}

/** An entry as listeners and other tabs know it. */
export type EntryRef = Pick<OutboxEntry, 'key' | 'partition'>;

/** How an entry ended; `requeued`: a dead letter waits again. */
export type EntryOutcome = FinalState | 'requeued';

/** Drains lanes: one worker per lane, in order; lanes concurrently. */
export class LaneScheduler {
  readonly gate: SendGate;
  /** Called when an entry has ended, here or in another tab. */
  readonly listeners = new Set<(of: EntryRef, outcome: EntryOutcome) => void>();
  readonly #pipeline: PipelineContext;
  readonly #queue: Queue;
  readonly #settings: OutboxSettings;
  readonly #storeHandle: StoreHandle;
  readonly #context: WorkerContext;
  readonly #flushes = new ActiveFlushes();
  readonly #draining = new Map<string, Draining>();
  readonly #timers: LaneTimers;

  /** @param storeHandle Tracks the work, so that the store is closed after it. */
  constructor(
    next: Handler,
    pipeline: PipelineContext,
    queue: Queue,
    outcomes: Completions,
    events: OutboxEvents,
    settings: OutboxSettings,
    storeHandle: StoreHandle,
  ) {
    this.gate = new SendGate(pipeline);
    this.#pipeline = pipeline;
    this.#queue = queue;
    this.#settings = settings;
    this.#storeHandle = storeHandle;
    const worker = new LaneWorker(next, pipeline, queue, outcomes, events, settings, this.gate);
    this.#context = { pipeline, queue, worker };
    this.#timers = new LaneTimers(pipeline, ({ partition, lane }) => void this.drain(partition, lane));
  }

  /** Listeners for entries that were postponed. */
  get postponed(): Set<(key: string) => void> {
    return this.#context.worker.postponed;
  }

  /** A lane is being drained, or waits for its lock. */
  get isBusy(): boolean {
    return this.#draining.size > 0;
  }

  /** Drains every lane of the current user. @returns whether there were entries. */
  wake(respect: Respect): Promise<boolean> {
    this.#flushes.dropAborted();
    return this.#storeHandle.track(this.#look(respect));
  }

  /** The same, for `flush()`. @param signal Starts no more lanes once it aborts. */
  flush(signal: AbortSignal | undefined, respect: Respect): Promise<void> {
    return this.#flushes.track(signal, async () => {
      await this.#storeHandle.track(this.#look(respect, signal));
    });
  }

  /** Whether the current user has anything to send. */
  async hasAny(): Promise<boolean> {
    const partition = currentPartition(this.#pipeline);
    if (partition === undefined) return false;
    const found = withStoreTimeout(this.#pipeline, this.#settings.store, this.#queue.hasAny(partition));
    return this.#storeHandle.track(found);
  }

  async #look(respect: Respect, stop?: AbortSignal): Promise<boolean> {
    const partition = currentPartition(this.#pipeline);
    if (partition === undefined) return false;
    // Callers need to know about waiting entries also while none can be sent.
    if (!this.gate.isOpen(partition)) return this.hasAny();
    const lanes = await withStoreTimeout(this.#pipeline, this.#settings.store, this.#queue.lanes(partition));
    const found = lanes.length > 0;
    const look = async (): Promise<void> => {
      for (let lane = lanes.shift(); lane !== undefined && !stop?.aborted; lane = lanes.shift())
        await this.#drained(laneOf(partition, lane), respect).startedOrRemote;
    };
    await Promise.all(Array.from({ length: Math.min(MAX_CONCURRENT_LANES, lanes.length) }, look));
    if (this.#pipeline.signal.aborted) return found;
    await this.#stored(this.#queue.cleanup.expireResults(this.#pipeline.host.clock.now()));
    if (!found) await this.#stored(this.#queue.cleanup.recount());
    return found;
  }

  /** An entry has ended, here or in another tab. */
  settled(of: EntryRef, outcome: FinalState): void {
    for (const { reader } of this.#draining.values()) reader.drop(of.key);
    for (const listener of this.listeners) listener(of, outcome);
  }

  /** A dead letter waits again, here or in another tab, before later entries. */
  requeued(of: EntryRef, lane: string): void {
    this.#draining.get(laneOf(of.partition, lane).name)?.reader.invalidate();
    this.gate.changed();
    for (const listener of this.listeners) listener(of, 'requeued');
  }

  /**
   * Queues for another tab's lane lock, so that this tab takes over if that one closes.
   *
   * @param at When the entry is due, if known; wall time in ms.
   */
  armFailover(partition: string, lane: string, at?: number): void {
    const of = laneOf(partition, lane);
    const wait = at === undefined ? FAILOVER_DELAY : at - this.#pipeline.host.clock.now();
    if (this.#timers.isFull || this.#draining.has(of.name) || this.#timers.has(of)) return;
    this.#timers.set(of, wait);
  }

  /** Sends the due entries of a lane. Resolves when none is due. */
  drain(partition: string, lane: string, respect: Respect = 'all'): Promise<void> {
    return this.#drained(laneOf(partition, lane), respect).done;
  }

  /** The same for a caller that waits: an aborted flush does not end it. @returns `leave` ends the caller's wait. */
  drainFor(partition: string, lane: string): { readonly done: Promise<void>; leave(): void } {
    const state = this.#drained(laneOf(partition, lane), 'all');
    state.callers++;
    return { done: state.done, leave: () => state.callers-- };
  }

  #drained(of: Lane, respect: Respect): Draining {
    const running = this.#draining.get(of.name);
    if (running) {
      running.again = mostUrgent(running.again ?? 'all', respect);
      return running;
    }
    let yieldToOtherTab = (): void => {};
    const soon = new Promise<void>((give) => {
      yieldToOtherTab = give;
    });
    const reader = new EntryReader(this.#queue, this.#pipeline, of);
    const state: Draining = {
      again: respect,
      callers: 0,
      done: Promise.resolve(),
      reader,
      startedOrRemote: soon,
    };
    this.#draining.set(of.name, state);
    state.done = this.#storeHandle.track(this.#drain(of, state, yieldToOtherTab));
    return state;
  }

  async #drain(of: Lane, state: Draining, yieldToOtherTab: () => void): Promise<void> {
    try {
      do {
        const now = state.again as Respect;
        state.again = undefined;
        await this.#drainOnce(of, now, state, yieldToOtherTab);
      } while (state.again && this.gate.isOpen(of.partition) && !this.#isStopped(state));
    } catch (error) {
      emitStoreFailed(this.#pipeline, this.#settings.store, 'drain', error);
    } finally {
      // In the same task as the last check of `again`: a later call must start a new drain.
      this.#draining.delete(of.name);
      yieldToOtherTab();
    }
  }

  #isStopped({ callers }: Draining): boolean {
    return callers === 0 && this.#flushes.allAborted;
  }

  #drainOnce(of: Lane, respect: Respect, state: Draining, yieldToOtherTab: () => void): Promise<void> {
    const { signal, host } = this.#pipeline;
    this.#timers.clear(of);
    const inLine = host.clock.after(LOCK_TIMEOUT, yieldToOtherTab, { background: true });
    const { store } = this.#settings;
    const { lock = withLock } = store;
    return lock(`holdfast outbox ${this.#pipeline.name} ${of.name}`, signal, async () => {
      inLine();
      if (!needsLease(store)) return this.#drainHeld(of, respect, state);
      const where = this.#queue.records.keys.lease(of.partition, of.lane);
      const taking = Lease.take(this.#queue.records.store, where, host);
      const lease = await withDeadline(STORE_TIMEOUT, this.#pipeline, taking).catch((cause) => {
        // Release a lease that arrives after the timeout; otherwise it renews for ever.
        const late = taking.then((lease) => (typeof lease === 'number' ? undefined : lease.release()));
        this.#storeHandle.track(late).catch(() => {});
        throw cause;
      });
      if (typeof lease === 'number') return this.#timers.set(of, lease);
      try {
        await this.#drainHeld(of, respect, state, lease);
      } finally {
        await this.#stored(lease.release()).catch(() => {});
      }
    }).finally(inLine);
  }

  /** Drains a lane under its lock. */
  async #drainHeld(of: Lane, respect: Respect, state: Draining, lease?: Lease): Promise<void> {
    const isStopped = (): boolean => this.#isStopped(state);
    const permit = new LaneGate(this.#pipeline, this.#queue, this.gate, of, isStopped, lease);
    const rest = await drainLane(of, respect, state.reader, permit, lease, this.#context);
    if (rest !== undefined) this.#timers.set(of, rest);
  }

  /** Without the pipeline's signal: the write completes also while the page closes. */
  #stored<T>(work: Promise<T>): Promise<T> {
    return withStoreTimeout({ host: this.#pipeline.host }, this.#settings.store, work);
  }
}

/** The flushes that run now. */
class ActiveFlushes {
  readonly #flushes = new Set<{ readonly signal: AbortSignal | undefined }>();

  /** Counts a flush as active while `work` runs. */
  async track(signal: AbortSignal | undefined, work: () => Promise<void>): Promise<void> {
    const flush = { signal };
    this.#flushes.add(flush);
    try {
      await work();
    } finally {
      this.#flushes.delete(flush);
    }
  }

  /** An aborted flush stops work that was running, not work that starts later. */
  dropAborted(): void {
    for (const flush of this.#flushes) if (flush.signal?.aborted) this.#flushes.delete(flush);
  }

  /** All flushes are aborted, and there is one. */
  get allAborted(): boolean {
    const flushes = [...this.#flushes];
    return flushes.length > 0 && flushes.every(({ signal }) => signal?.aborted);
  }
}
