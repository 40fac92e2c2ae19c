import { currentPartition } from '../../../core/user.ts';
import { forEachConcurrently, withLock } from '../../../primitives/locks.ts';
import type { OutboxContext, Scheduler } from '../context.ts';
import { expireResults, recount } from '../queue/cleanup.ts';
import { Lease, needsLease } from '../queue/lease.ts';
import { mostUrgent, type Respect } from './backoff.ts';
import { drainLane, type Lane } from './worker.ts';

/** How long to wait for a lane's lock, in ms, before another page is taken to send it. */
const LOCK_TIMEOUT = 10_000;

/** How long after a write of another page this page starts to send it, in ms, if that page does not. */
const FAILOVER_DELAY = 500;

/** How many lanes are checked at once. Most have nothing due, or wait for a slot. */
const MAX_CONCURRENT_LANES = 50;

/** The longest timer, in ms: wall time may jump while the machine sleeps. */
const LONGEST_TIMER = 3_600_000;

/** How many timers messages of other tabs may set. */
const MAX_TIMERS = 1_000;

/** How long an id is remembered if no results are stored, in ms. */
const ID_KEPT = 86_400_000;

/** A lane that this page drains, or waits for. */
interface Draining extends Lane {
  /** Set if the lane is to be drained again afterwards, with the waits to respect then. */
  again: Respect | undefined;
  done: Promise<void>;
  /** As `done`, but does not wait for another page. */
  startedOrRemote: Promise<void>;
}

const nameOf = (partition: string, lane: string): string =>
  `${encodeURIComponent(partition)} ${encodeURIComponent(lane)}`;

/** Drains lanes: one worker per lane, in order; lanes concurrently. */
export class LaneScheduler implements Scheduler {
  readonly #context: OutboxContext;
  readonly #draining = new Map<string, Draining>();
  /** When to look at a lane again: cancels. */
  readonly #timers = new Map<string, () => void>();
  /** The flushes that run now. */
  readonly #flushes = new Set<{ readonly signal: AbortSignal | undefined }>();

  constructor(context: OutboxContext) {
    this.#context = context;
    context.pipeline.onClose(() => {
      for (const cancel of this.#timers.values()) cancel();
      this.#timers.clear();
    });
  }

  /** A lane is being drained, or waits for its lock. */
  get isBusy(): boolean {
    return this.#draining.size > 0;
  }

  /** Drains every lane of the current user. @returns whether there were entries. */
  wake(respect: Respect): Promise<boolean> {
    // An aborted flush stops work that was running, not work that starts later.
    for (const flush of this.#flushes) if (flush.signal?.aborted) this.#flushes.delete(flush);
    return this.#context.handle.track(this.#look(respect));
  }

  async flush(signal: AbortSignal | undefined, respect: Respect): Promise<void> {
    const flush = { signal };
    this.#flushes.add(flush);
    try {
      await this.#context.handle.track(this.#look(respect, signal));
    } finally {
      this.#flushes.delete(flush);
    }
  }

  async #look(respect: Respect, stop?: AbortSignal): Promise<boolean> {
    const { pipeline, gate, queue, settings } = this.#context;
    const partition = currentPartition(pipeline);
    if (partition === undefined) return false;
    // Callers need to know about waiting entries also while none can be sent.
    if (!gate.isOpen(partition)) return queue.hasAny(partition);
    const lanes = await queue.lanes(partition);
    const found = lanes.length > 0;
    await forEachConcurrently(lanes, MAX_CONCURRENT_LANES, async (lane) => {
      if (!stop?.aborted) await this.#drained(partition, lane, respect).startedOrRemote;
    });
    if (pipeline.signal.aborted) return found;
    await expireResults(queue, pipeline.host.clock.now() - (settings.resultTtl || ID_KEPT));
    if (!found) await recount(queue);
    return found;
  }

  /** An entry has ended, here or in another tab: it is not sent any more. */
  ended(key: string): void {
    for (const lane of this.#draining.values()) lane.ended.add(key);
  }

  /**
   * Queues for another tab's lane lock, so that this tab takes over if that one closes.
   *
   * @param at When the entry is due, if known; wall time in ms.
   */
  armFailover(partition: string, lane: string, at?: number): void {
    const name = nameOf(partition, lane);
    const wait = at === undefined ? FAILOVER_DELAY : at - this.#context.pipeline.host.clock.now();
    if (this.#timers.size >= MAX_TIMERS || this.#draining.has(name) || this.#timers.has(name)) return;
    this.#setTimer({ name, partition, lane }, wait);
  }

  drain(partition: string, lane: string, respect: Respect = 'all'): Promise<void> {
    return this.#drained(partition, lane, respect).done;
  }

  #drained(partition: string, lane: string, respect: Respect): Draining {
    const name = nameOf(partition, lane);
    const running = this.#draining.get(name);
    if (running) {
      running.again = mostUrgent(running.again ?? 'all', respect);
      return running;
    }
    let leaveToOtherTab = (): void => {};
    const startedOrRemote = new Promise<void>((resolve) => {
      leaveToOtherTab = resolve;
    });
    const draining: Draining = {
      name,
      partition,
      lane,
      again: respect,
      done: startedOrRemote,
      startedOrRemote,
      ended: new Set(),
    };
    this.#draining.set(name, draining);
    draining.done = this.#context.handle.track(this.#drain(draining, leaveToOtherTab));
    return draining;
  }

  /** All flushes are aborted, there is one, and no caller waits for a result. */
  isStopped(): boolean {
    const flushes = [...this.#flushes];
    return (
      flushes.length > 0 && flushes.every(({ signal }) => signal?.aborted) && !this.#context.events.isAwaited
    );
  }

  async #drain(lane: Draining, leaveToOtherTab: () => void): Promise<void> {
    const { gate, handle } = this.#context;
    try {
      do {
        const respect = lane.again as Respect;
        lane.again = undefined;
        await this.#drainLocked(lane, respect, leaveToOtherTab);
      } while (lane.again && gate.isOpen(lane.partition) && !this.isStopped());
    } catch (error) {
      handle.emitFailed('drain', error);
    } finally {
      // In the same task as the last check of `again`: a later call must start a new drain.
      this.#draining.delete(lane.name);
      leaveToOtherTab();
    }
  }

  #drainLocked(lane: Lane, respect: Respect, leaveToOtherTab: () => void): Promise<void> {
    const { pipeline, queue, settings } = this.#context;
    const { signal, host, name } = pipeline;
    this.#clearTimer(lane.name);
    const inLine = host.clock.after(LOCK_TIMEOUT, leaveToOtherTab, { background: true });
    const { lock = withLock } = settings.store;
    return lock(`holdfast outbox ${name} ${lane.name}`, signal, async () => {
      inLine();
      const lease = needsLease(settings.store)
        ? await Lease.take(queue.store, queue.keys.lease(lane.partition, lane.lane), host)
        : undefined;
      if (typeof lease === 'number') return this.#setTimer(lane, lease);
      try {
        const wait = await drainLane(lane, respect, lease, this.#context);
        if (wait !== undefined) this.#setTimer(lane, wait);
      } finally {
        await lease?.release();
      }
    }).finally(inLine);
  }

  /** Looks at a lane again in so many ms. */
  #setTimer({ name, partition, lane }: Pick<Lane, 'name' | 'partition' | 'lane'>, ms: number): void {
    this.#clearTimer(name);
    const { signal, host } = this.#context.pipeline;
    if (signal.aborted) return;
    const wait = Math.min(Math.max(0, ms), LONGEST_TIMER);
    const due = (): void => void this.drain(partition, lane);
    this.#timers.set(name, host.clock.after(wait, due, { background: true }));
  }

  #clearTimer(name: string): void {
    this.#timers.get(name)?.();
    this.#timers.delete(name);
  }
}
