import { withDeadline } from '../../core/clock.ts';
import type { Handler, PipelineContext } from '../../core/contract.ts';
import { withLock } from '../../core/locks.ts';
import { currentPartition } from '../../core/signed-in.ts';
import { Dispatch } from './dispatch.ts';
import { drained, type Means } from './drain.ts';
import type { OutboxEntry } from './entry.ts';
import { Flushes } from './flushes.ts';
import { Gate } from './gate.ts';
import { type Lane, LaneTimers, laneOf } from './lanes.ts';
import type { Lasting } from './lasting.ts';
import { Lease, needsLease } from './lease.ts';
import type { News } from './news.ts';
import { type OutboxSettings, STORE_PATIENCE } from './options.ts';
import type { End, Outcomes } from './outcomes.ts';
import { Permit } from './permit.ts';
import type { Queue } from './queue.ts';
import { sooner, type Waits } from './schedule.ts';
import { Supply } from './supply.ts';
import { answered, onTrouble } from './trouble.ts';

/** After so long in line for a lane, in ms, another page is taken to look after it. */
const LINE_PATIENCE = 10_000;

/** After so long, in ms, a page looks after what another one has accepted, should that not have begun to send it. */
const STAND_BY = 500;

/** Lanes that are looked at together. Most have nothing to send, or wait for one of the few that may send at once. */
const LANES = 50;

/** A lane that this page is draining, or in line for. */
interface Draining {
  /** Whether to look again afterwards, and who is in a hurry then. */
  again: Waits | undefined;
  /** Calls that wait for what is sent here. */
  callers: number;
  done: Promise<void>;
  readonly supply: Supply;
  /** As `done`, but does not wait for another page. */
  readonly soon: Promise<void>;
}

/** An entry, as much as everybody is told of it. */
export type Known = Pick<OutboxEntry, 'key' | 'partition'>;

/** What becomes of an entry; `revived`: a dead letter waits again. */
export type Fate = End | 'revived';

/** Sends what waits: one lane by one sender, in order; lanes beside each other. */
export class Sender {
  readonly gate: Gate;
  /** Told what becomes of entries, here or elsewhere. */
  readonly fates = new Set<(of: Known, fate: Fate) => void>();
  readonly #pipeline: PipelineContext;
  readonly #queue: Queue;
  readonly #settings: OutboxSettings;
  readonly #lasting: Lasting;
  readonly #means: Means;
  readonly #flushes = new Flushes();
  readonly #draining = new Map<string, Draining>();
  readonly #timers: LaneTimers;

  /** @param lasting Is given all that goes on here. */
  constructor(
    next: Handler,
    pipeline: PipelineContext,
    queue: Queue,
    outcomes: Outcomes,
    news: News,
    settings: OutboxSettings,
    lasting: Lasting,
  ) {
    this.gate = new Gate(pipeline);
    this.#pipeline = pipeline;
    this.#queue = queue;
    this.#settings = settings;
    this.#lasting = lasting;
    const dispatch = new Dispatch(next, pipeline, queue, outcomes, news, settings, this.gate);
    this.#means = { pipeline, queue, dispatch };
    this.#timers = new LaneTimers(pipeline, ({ partition, lane }) => void this.drain(partition, lane));
  }

  /** Told when an entry could not be delivered just now. */
  get postponed(): Set<(key: string) => void> {
    return this.#means.dispatch.postponed;
  }

  /** Something is being sent, or waits in line for it. */
  get isBusy(): boolean {
    return this.#draining.size > 0;
  }

  /** Looks after every lane of the current user. @returns whether something waited. */
  wake(waits: Waits): Promise<boolean> {
    this.#flushes.forgetStopped();
    return this.#lasting.add(this.#look(waits));
  }

  /** The same, until nothing more can be sent. @param signal Begins nothing more. */
  flush(signal: AbortSignal | undefined, waits: Waits): Promise<void> {
    return this.#flushes.during(signal, async () => {
      await this.#lasting.add(this.#look(waits, signal));
    });
  }

  /** Whether the current user has anything to send. */
  async hasAny(): Promise<boolean> {
    const partition = currentPartition(this.#pipeline);
    if (partition === undefined) return false;
    const found = answered(this.#pipeline, this.#settings.store, this.#queue.hasAny(partition));
    return this.#lasting.add(found);
  }

  async #look(waits: Waits, stop?: AbortSignal): Promise<boolean> {
    const partition = currentPartition(this.#pipeline);
    if (partition === undefined) return false;
    // Whether there is anything to send is worth knowing also while nothing can be.
    if (!this.gate.isOpen(partition)) return this.hasAny();
    const lanes = await answered(this.#pipeline, this.#settings.store, this.#queue.lanes(partition));
    const found = lanes.length > 0;
    const look = async (): Promise<void> => {
      for (let lane = lanes.shift(); lane !== undefined && !stop?.aborted; lane = lanes.shift())
        await this.#drained(laneOf(partition, lane), waits).soon;
    };
    await Promise.all(Array.from({ length: Math.min(LANES, lanes.length) }, look));
    if (this.#pipeline.signal.aborted) return found;
    await this.#stored(this.#queue.leftovers.expire(this.#pipeline.host.clock.now()));
    if (!found) await this.#stored(this.#queue.leftovers.recount());
    return found;
  }

  /** An entry has come to its end, here or elsewhere. */
  settled(of: Known, fate: End): void {
    for (const { supply } of this.#draining.values()) supply.drop(of.key);
    for (const told of this.fates) told(of, fate);
  }

  /** A dead letter waits again, here or elsewhere: it has its place before what was given after it. */
  revived(of: Known, lane: string): void {
    this.#draining.get(laneOf(of.partition, lane).name)?.supply.revived();
    this.gate.changed();
    for (const told of this.fates) told(of, 'revived');
  }

  /**
   * Another page has something to send, and is to send it, because its caller waits there; should it go away, this page
   * goes on at once: by being in line for the lane.
   *
   * @param at When it is due, where it is known; wall time in ms.
   */
  standBy(partition: string, lane: string, at?: number): void {
    const of = laneOf(partition, lane);
    const wait = at === undefined ? STAND_BY : at - this.#pipeline.host.clock.now();
    if (this.#timers.isFull || this.#draining.has(of.name) || this.#timers.has(of)) return;
    this.#timers.set(of, wait);
  }

  /** Sends what is due in a lane. Settles when there is nothing more to send now. */
  drain(partition: string, lane: string, waits: Waits = 'all'): Promise<void> {
    return this.#drained(laneOf(partition, lane), waits).done;
  }

  /** The same for a call that waits for it: nobody else ends it. @returns `leave` says that it has its answer. */
  drainFor(partition: string, lane: string): { readonly done: Promise<void>; leave(): void } {
    const state = this.#drained(laneOf(partition, lane), 'all');
    state.callers++;
    return { done: state.done, leave: () => state.callers-- };
  }

  #drained(of: Lane, waits: Waits): Draining {
    const running = this.#draining.get(of.name);
    if (running) {
      running.again = sooner(running.again ?? 'all', waits);
      return running;
    }
    let elsewhere = (): void => {};
    const soon = new Promise<void>((give) => {
      elsewhere = give;
    });
    const supply = new Supply(this.#queue, this.#pipeline, of);
    const state: Draining = {
      again: waits,
      callers: 0,
      done: Promise.resolve(),
      supply,
      soon,
    };
    this.#draining.set(of.name, state);
    state.done = this.#lasting.add(this.#drain(of, state, elsewhere));
    return state;
  }

  async #drain(of: Lane, state: Draining, elsewhere: () => void): Promise<void> {
    try {
      do {
        const now = state.again as Waits;
        state.again = undefined;
        await this.#drainOnce(of, now, state, elsewhere);
      } while (state.again && this.gate.isOpen(of.partition) && !this.#isStopped(state));
    } catch (error) {
      onTrouble(this.#pipeline, this.#settings.store, 'drain', error);
    } finally {
      // In the same step as the last look at `again`: who comes later must find that nobody is draining.
      this.#draining.delete(of.name);
      elsewhere();
    }
  }

  #isStopped({ callers }: Draining): boolean {
    return callers === 0 && this.#flushes.areStopped;
  }

  #drainOnce(of: Lane, waits: Waits, state: Draining, elsewhere: () => void): Promise<void> {
    const { signal, host } = this.#pipeline;
    this.#timers.clear(of);
    const inLine = host.clock.after(LINE_PATIENCE, elsewhere, { background: true });
    const { store } = this.#settings;
    const { lock = withLock } = store;
    return lock(`holdfast outbox ${this.#pipeline.name} ${of.name}`, signal, async () => {
      inLine();
      if (!needsLease(store)) return this.#drainHeld(of, waits, state);
      const where = this.#queue.rows.places.lease(of.partition, of.lane);
      const taking = Lease.take(this.#queue.rows.store, where, host);
      const lease = await withDeadline(STORE_PATIENCE, this.#pipeline, taking).catch((cause) => {
        // One that comes late is nobody's, and would be renewed for ever.
        const late = taking.then((lease) => (typeof lease === 'number' ? undefined : lease.release()));
        this.#lasting.add(late).catch(() => {});
        throw cause;
      });
      if (typeof lease === 'number') return this.#timers.set(of, lease);
      try {
        await this.#drainHeld(of, waits, state, lease);
      } finally {
        await this.#stored(lease.release()).catch(() => {});
      }
    }).finally(inLine);
  }

  /** With the lane to ourselves. */
  async #drainHeld(of: Lane, waits: Waits, state: Draining, lease?: Lease): Promise<void> {
    const isStopped = (): boolean => this.#isStopped(state);
    const permit = new Permit(this.#pipeline, this.#queue, this.gate, of, isStopped, lease);
    const rest = await drained(of, waits, state.supply, permit, lease, this.#means);
    if (rest !== undefined) this.#timers.set(of, rest);
  }

  /** What is to be written is written, also while the page closes. */
  #stored<T>(work: Promise<T>): Promise<T> {
    return answered({ host: this.#pipeline.host }, this.#settings.store, work);
  }
}
