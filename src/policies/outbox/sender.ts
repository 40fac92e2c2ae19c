import { within } from '../../core/clock.ts';
import type { Handler, Home } from '../../core/contract.ts';
import { exclusively } from '../../core/locks.ts';
import { Dispatch } from './dispatch.ts';
import type { OutboxEntry } from './entry.ts';
import { Gate } from './gate.ts';
import { type Holds, holdsOf, isHeld } from './holds.ts';
import { Lease, needsLease } from './lease.ts';
import type { News } from './news.ts';
import { type OutboxSettings, STORE_PATIENCE } from './options.ts';
import { dependsOn, type Outcomes } from './outcomes.ts';
import type { Queue } from './queue.ts';
import { dueIn, sooner, type Waits } from './schedule.ts';
import { Settling } from './settling.ts';
import { signedIn } from './signed-in.ts';
import { Supply } from './supply.ts';
import { onTrouble } from './trouble.ts';

/** After so long in line for a lane, in ms, another page is taken to look after it. */
const LINE_PATIENCE = 10_000;

/** After so long, in ms, a page looks after what another one has accepted, should that not have begun to send it. */
const STAND_BY = 500;

/** The longest timer, in ms: wall time may jump while the machine sleeps. */
const LONGEST_TIMER = 3_600_000;

/** Lanes that are looked at together. Most have nothing to send, or wait for one of the few that may send at once. */
const LANES = 50;

/** A lane that this page is draining, or in line for. */
interface Draining {
  /** Whether to look again afterwards, and who is in a hurry then. */
  again: Waits | undefined;
  /** Ends it before its time. */
  readonly stop: AbortSignal | undefined;
  done: Promise<void>;
  readonly supply: Supply;
  /** As `done`, but does not wait for another page. */
  soon: Promise<void>;
}

/** Whose lane, and which. */
interface Lane {
  readonly partition: string;
  readonly lane: string;
  /** The same as one name. */
  readonly name: string;
}

/** Sends what waits: one lane by one sender, in order; lanes beside each other. */
export class Sender {
  readonly gate: Gate;
  readonly #home: Home;
  readonly #queue: Queue;
  readonly #outcomes: Outcomes;
  readonly #settings: OutboxSettings;
  readonly #dispatch: Dispatch;
  readonly #draining = new Map<string, Draining>();
  readonly #timers = new Map<string, () => void>();
  /** Lanes whose next entry waits for the entry of this key. */
  readonly #blocked = new Map<string, Map<string, Lane>>();

  constructor(
    next: Handler,
    home: Home,
    queue: Queue,
    outcomes: Outcomes,
    news: News,
    settings: OutboxSettings,
  ) {
    this.gate = new Gate(home);
    this.#home = home;
    this.#queue = queue;
    this.#outcomes = outcomes;
    this.#settings = settings;
    this.#dispatch = new Dispatch(next, home, queue, outcomes, news, settings, this.gate);
    home.signal.addEventListener('abort', () => this.#stop(), { once: true });
  }

  /** Told when an entry could not be delivered just now. */
  get postponed(): Set<(key: string) => void> {
    return this.#dispatch.postponed;
  }

  /** Something is being sent, or waits in line for it. */
  get isBusy(): boolean {
    return this.#draining.size > 0;
  }

  /** Looks after every lane of the current user. @param stop Begins nothing more. @returns whether something waited. */
  async wake(waits: Waits, stop?: AbortSignal): Promise<boolean> {
    const partition = signedIn(this.#home);
    if (partition === undefined || !this.gate.isOpen(partition)) return false;
    const lanes = await within(STORE_PATIENCE, this.#home, this.#queue.lanes(partition));
    const found = lanes.length > 0;
    const look = async (): Promise<void> => {
      for (let lane = lanes.shift(); lane !== undefined && !stop?.aborted; lane = lanes.shift())
        await this.#drained(partition, lane, waits, stop).soon;
    };
    await Promise.all(Array.from({ length: Math.min(LANES, lanes.length) }, look));
    await this.#stored(this.#queue.expire(this.#home.host.clock.now()));
    if (!found) await this.#stored(this.#queue.recount());
    return found;
  }

  /** An entry has come to its end, here or elsewhere: what waited for it may go on. */
  settled(key: string): void {
    for (const { supply } of this.#draining.values()) supply.drop(key);
    const lanes = this.#blocked.get(key);
    this.#blocked.delete(key);
    for (const { partition, lane } of lanes?.values() ?? []) void this.drain(partition, lane);
  }

  /**
   * Another page has something to send, and is to send it, because its caller waits there; should it go away, this page
   * goes on at once: by being in line for the lane.
   *
   * @param at When it is due, where it is known; wall time in ms.
   */
  standBy(partition: string, lane: string, at?: number): void {
    const of = laneOf(partition, lane);
    const wait = at === undefined ? STAND_BY : at - this.#home.host.clock.now();
    if (!this.#draining.has(of.name) && !this.#timers.has(of.name)) this.#later(of, wait);
  }

  /** Sends what is due in a lane. Settles when there is nothing more to send now. */
  drain(partition: string, lane: string, waits: Waits = 'all'): Promise<void> {
    return this.#drained(partition, lane, waits).done;
  }

  #drained(partition: string, lane: string, waits: Waits, stop?: AbortSignal): Draining {
    const of = laneOf(partition, lane);
    const running = this.#draining.get(of.name);
    if (running) {
      running.again = sooner(running.again ?? 'all', waits);
      return running;
    }
    let elsewhere = (): void => {};
    const soon = new Promise<void>((give) => {
      elsewhere = give;
    });
    const supply = new Supply(this.#queue, this.#home, of);
    const state: Draining = { again: waits, stop, done: Promise.resolve(), soon, supply };
    this.#draining.set(of.name, state);
    state.done = (async () => {
      try {
        do {
          const now = state.again as Waits;
          state.again = undefined;
          await this.#drainOnce(of, now, state, elsewhere);
        } while (state.again && this.gate.isOpen(partition) && !stop?.aborted);
      } catch (error) {
        onTrouble(this.#home, this.#settings.store, 'drain', error);
      } finally {
        // In the same step as the last look at `again`: who comes later must find that nobody is draining.
        this.#draining.delete(of.name);
        elsewhere();
      }
    })();
    return state;
  }

  #drainOnce(of: Lane, waits: Waits, state: Draining, elsewhere: () => void): Promise<void> {
    const { signal, host } = this.#home;
    this.#timers.get(of.name)?.();
    this.#timers.delete(of.name);
    const inLine = host.clock.after(LINE_PATIENCE, elsewhere, { background: true });
    return exclusively(`holdfast outbox ${this.#home.name} ${of.name}`, signal, async () => {
      inLine();
      const { store } = this.#settings;
      if (!needsLease(store)) return this.#drainHeld(of, waits, state);
      const where = this.#queue.rows.places.lease(of.partition, of.lane);
      const taking = Lease.take(store, where, host);
      const lease = await within(STORE_PATIENCE, this.#home, taking).catch((cause) => {
        // One that comes late is nobody's, and would be renewed for ever.
        taking.then((late) => (typeof late === 'number' ? undefined : late.release())).catch(() => {});
        throw cause;
      });
      if (typeof lease === 'number') return this.#later(of, lease);
      try {
        await this.#drainHeld(of, waits, state, lease);
      } finally {
        await this.#stored(lease.release()).catch(() => {});
      }
    }).finally(inLine);
  }

  /** With the lane to ourselves. */
  async #drainHeld(of: Lane, waits: Waits, { stop, supply }: Draining, lease?: Lease): Promise<void> {
    const drain = { settling: new Settling(), lease };
    const { settling } = drain;
    let holds: Holds | undefined;
    let known = -1;
    supply.rewind();
    try {
      while (this.gate.isOpen(of.partition) && !stop?.aborted && !lease?.lost) {
        if (known !== this.gate.changes) {
          known = this.gate.changes;
          holds = await within(STORE_PATIENCE, this.#home, holdsOf(this.#queue.rows, of.partition));
        }
        if (holds && isHeld(holds, of.lane)) return;
        const supplied = await supply.next();
        if (!supplied) return;
        const { entry } = supplied;
        const reason = this.#dispatch.hopeless(entry);
        const wait = dueIn(entry, this.#home.host.clock.now(), waits, this.#settings);
        if (!reason && wait > 0) return this.#later(of, wait);
        const before = reason ? undefined : await this.#outcomes.obstacle(entry);
        if (before?.state === 'waiting') return this.#block(of, before.key);
        if (reason || before) {
          await this.#dispatch.bury(entry, reason ?? dependsOn(before as OutboxEntry), undefined, drain);
          continue;
        }
        const next = await this.#dispatch.send(supplied, drain);
        if (next !== 'on') await settling.done();
        if (next === 'stop') return this.#look(of);
        if (next === 'reread') supply.rewind();
        await settling.room();
      }
    } finally {
      // Whoever drains this lane next finds nothing that is being taken out.
      await settling.done();
    }
  }

  /** The next of a lane. Who hangs on this when the page closes must give the lane back. */
  #head({ partition, lane }: Lane): Promise<OutboxEntry | undefined> {
    return within(STORE_PATIENCE, this.#home, this.#queue.head(partition, lane));
  }

  /** What is to be written is written, also while the page closes. */
  #stored<T>(work: Promise<T>): Promise<T> {
    return within(STORE_PATIENCE, { host: this.#home.host }, work);
  }

  /** Leaves a lane until the write that its next one waits for has come to its end. */
  async #block(of: Lane, key: string): Promise<void> {
    const lanes = this.#blocked.get(key) ?? new Map<string, Lane>();
    this.#blocked.set(key, lanes.set(of.name, of));
    // It may have ended before we listened.
    const parent = await within(STORE_PATIENCE, this.#home, this.#queue.get(key));
    if (parent?.state !== 'waiting') this.settled(key);
  }

  /** Comes back to a lane when its head is due. */
  async #look(of: Lane): Promise<void> {
    const head = await this.#head(of);
    if (head) this.#later(of, dueIn(head, this.#home.host.clock.now(), 'all', this.#settings));
  }

  #later(of: Lane, ms: number): void {
    this.#timers.get(of.name)?.();
    if (this.#home.signal.aborted) return;
    const task = (): void => void this.drain(of.partition, of.lane);
    const wait = Math.min(Math.max(0, ms), LONGEST_TIMER);
    this.#timers.set(of.name, this.#home.host.clock.after(wait, task, { background: true }));
  }

  #stop(): void {
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
  }
}

const laneOf = (partition: string, lane: string): Lane => ({
  partition,
  lane,
  name: `${encodeURIComponent(partition)} ${encodeURIComponent(lane)}`,
});
