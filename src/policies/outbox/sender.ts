import { within } from '../../core/clock.ts';
import type { Handler, Home } from '../../core/contract.ts';
import { exclusively } from '../../core/locks.ts';
import type { Settled } from './answers.ts';
import type { Verdict } from './classify.ts';
import { contentOf } from './content.ts';
import { deliver, sendingOf } from './delivery.ts';
import type { OutboxEntry, Reason } from './entry.ts';
import { type Holds, holdsOf, isHeld } from './holds.ts';
import { isSentOnce } from './judge.ts';
import { Lease, needsLease } from './lease.ts';
import type { News } from './news.ts';
import { type OutboxSettings, STORE_PATIENCE } from './options.ts';
import { dependsOn, type Outcomes } from './outcomes.ts';
import type { Queue } from './queue.ts';
import { rewritten } from './rewrite.ts';
import { dueIn, scheduled, sooner, type Waits } from './schedule.ts';
import { signedIn } from './signed-in.ts';
import { Slots } from './slots.ts';
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
  readonly #next: Handler;
  readonly #home: Home;
  readonly #queue: Queue;
  readonly #outcomes: Outcomes;
  readonly #news: News;
  readonly #settings: OutboxSettings;
  readonly #slots: Slots;
  readonly #draining = new Map<string, Draining>();
  readonly #timers = new Map<string, () => void>();
  /** Partitions whose credentials were refused. */
  readonly #paused = new Set<string>();
  /** Lanes whose next entry waits for the entry of this key. */
  readonly #blocked = new Map<string, Map<string, Lane>>();
  /** Grows when something is paused or goes on: what is known of that has to be read again. */
  #holdsChanged = 0;
  /** Told when an entry could not be delivered just now. */
  readonly postponed = new Set<(key: string) => void>();

  constructor(
    next: Handler,
    home: Home,
    queue: Queue,
    outcomes: Outcomes,
    news: News,
    settings: OutboxSettings,
  ) {
    this.#next = next;
    this.#home = home;
    this.#queue = queue;
    this.#outcomes = outcomes;
    this.#news = news;
    this.#settings = settings;
    this.#slots = new Slots(settings.concurrency);
    home.signal.addEventListener('abort', () => this.#stop(), { once: true });
  }

  /** Something is being sent, or waits in line for it. */
  get isBusy(): boolean {
    return this.#draining.size > 0;
  }

  /** Looks after every lane of the current user. @param stop Begins nothing more. @returns whether something waited. */
  async wake(waits: Waits, stop?: AbortSignal): Promise<boolean> {
    const partition = signedIn(this.#home);
    if (partition === undefined || !this.#open(partition)) return false;
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

  /** The user's credentials were refused: nothing of theirs is sent for now. */
  pause(partition: string): void {
    this.#paused.add(partition);
  }

  isPaused(partition: string): boolean {
    return this.#paused.has(partition);
  }

  resume(partition: string): void {
    this.#paused.delete(partition);
  }

  /** What is paused has changed. */
  lookAtHolds(): void {
    this.#holdsChanged++;
  }

  /** An entry has come to its end, here or elsewhere: what waited for it may go on. */
  settled(key: string): void {
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
    const state: Draining = { again: waits, stop, done: Promise.resolve(), soon };
    this.#draining.set(of.name, state);
    state.done = (async () => {
      try {
        do {
          const now = state.again as Waits;
          state.again = undefined;
          await this.#drainOnce(of, now, state, elsewhere);
        } while (state.again && this.#open(partition) && !stop?.aborted);
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
  async #drainHeld(of: Lane, waits: Waits, { stop }: Draining, lease?: Lease): Promise<void> {
    const { host } = this.#home;
    let holds: Holds | undefined;
    let known = -1;
    while (this.#open(of.partition) && !stop?.aborted && !lease?.lost) {
      if (known !== this.#holdsChanged) {
        known = this.#holdsChanged;
        holds = await within(STORE_PATIENCE, this.#home, holdsOf(this.#queue.rows, of.partition));
      }
      if (holds && isHeld(holds, of.lane)) return;
      const entry = await this.#head(of);
      if (!entry) return;
      const now = host.clock.now();
      const wait = dueIn(entry, now, waits, this.#settings);
      const reason = now >= entry.expiresAt ? { ...entry.reason, code: 'expired' } : this.#hopeless(entry);
      if (reason) {
        await this.#bury(entry, reason, undefined, lease);
        continue;
      }
      if (wait > 0) return this.#later(of, wait);
      const before = await this.#outcomes.obstacle(entry);
      if (before?.state === 'waiting') return this.#block(of, before.key);
      if (before) await this.#bury(entry, dependsOn(before), undefined, lease);
      else if (!(await this.#slots.run(() => this.#send(entry, lease)))) return this.#look(of);
    }
  }

  /** Why an entry need not be sent at all. */
  #hopeless(entry: OutboxEntry): Reason | undefined {
    if (entry.unreadable) return entry.reason;
    // The lane is ours, so whoever began that sending is no more.
    if (entry.claimedAt !== undefined && isSentOnce(entry, this.#settings))
      return { code: 'unknown-outcome', message: 'it was being sent when its sender went away' };
    return undefined;
  }

  /** @returns whether the lane goes on. */
  async #send(entry: OutboxEntry, lease: Lease | undefined): Promise<boolean> {
    const { id, origin, lane, partition, attempts, misses = 0, key } = entry;
    const { signal } = this.#home;
    // While it waited for its turn.
    if (!this.#open(partition)) return false;
    const call = sendingOf(entry, this.#home);
    const { verdict, settled } = await deliver(entry, {
      call,
      next: this.#next,
      queue: this.#queue,
      settings: this.#settings,
      allowed: () => this.#open(partition),
      sending: () =>
        this.#news.tell(
          { type: 'sending', id, origin, lane, attempt: attempts + misses + 1, callId: call.id },
          partition,
          key,
        ),
    });
    if (signal.aborted) return false;
    switch (verdict.is) {
      case 'gone':
        return true;
      case 'delivered':
        await this.#outcomes.delivered(entry, settled as Settled);
        return true;
      case 'dead':
        await this.#bury({ ...entry, attempts: attempts + 1 }, verdict.reason, settled, lease);
        return true;
      case 'rewrite':
        return this.#rewrite(entry, verdict, settled, lease);
      case 'again':
        return this.#again(entry, verdict, settled, lease);
      default:
        this.#paused.add(partition);
        await this.#stored(
          this.#queue.update(entry, { reason: verdict.reason, claimedAt: undefined }, lease),
        );
        this.#news.tell({ type: 'outbox-paused', id, origin, lane }, partition, key);
        this.#notNow(entry);
        return false;
    }
  }

  async #again(
    entry: OutboxEntry,
    verdict: Extract<Verdict, { is: 'again' }>,
    settled: Settled | undefined,
    lease: Lease | undefined,
  ): Promise<boolean> {
    const { id, origin, lane, partition, key, conflicts = 0, coalesce } = entry;
    const { reason, cost } = verdict;
    const next = scheduled(entry, verdict, this.#home.host, this.#settings);
    if (next.attempts >= this.#settings.attempts) {
      await this.#bury({ ...entry, ...next }, { ...reason, code: 'attempts' }, settled, lease);
      return true;
    }
    // What may have arrived is not unsent any more.
    const isSent = coalesce !== undefined && (cost === 'attempt' || cost === 'silence');
    const after = {
      ...next,
      reason,
      conflicts: reason.status === 409 ? conflicts + 1 : 0,
      ...(!isSent && { claimedAt: undefined }),
    };
    await this.#stored(this.#queue.update(entry, after, lease));
    this.#news.tell(
      { type: 'postponed', id, origin, lane, at: next.notBefore, cause: reason },
      partition,
      key,
    );
    this.#notNow(entry);
    return false;
  }

  /** What the application wants sent instead goes out at once, and counts as an attempt. */
  async #rewrite(
    entry: OutboxEntry,
    { request, reason }: Extract<Verdict, { is: 'rewrite' }>,
    settled: Settled | undefined,
    lease: Lease | undefined,
  ): Promise<boolean> {
    const attempts = entry.attempts + 1;
    if (attempts >= this.#settings.attempts) {
      await this.#bury({ ...entry, attempts }, { ...reason, code: 'attempts' }, settled, lease);
      return true;
    }
    try {
      const content = await contentOf(request, this.#settings, this.#home);
      const after = { ...rewritten(entry, content, this.#home.host), attempts, reason };
      await this.#stored(this.#queue.rewrite(entry, after, content.body));
    } catch (error) {
      if (this.#home.signal.aborted) return false;
      await this.#bury(
        { ...entry, attempts },
        { ...reason, message: `onConflict: ${error}` },
        settled,
        lease,
      );
    }
    return true;
  }

  #bury(
    entry: OutboxEntry,
    reason: Reason,
    settled: Settled | undefined,
    lease: Lease | undefined,
  ): Promise<void> {
    const { attempts, misses = 0, notBefore, asked = false, silentSince } = entry;
    // It stops the lane: what is known of that is old.
    if (entry.strict) this.#holdsChanged++;
    return this.#outcomes.bury(entry, reason, {
      changes: { attempts, misses, notBefore, asked, silentSince, claimedAt: undefined },
      ...(settled && { settled }),
      ...(lease && { fence: lease }),
    });
  }

  /** The next of a lane. Who hangs on this when the page closes must give the lane back. */
  #head({ partition, lane }: Lane): Promise<OutboxEntry | undefined> {
    return within(STORE_PATIENCE, this.#home, this.#queue.head(partition, lane));
  }

  /** What is to be written is written, also while the page closes. */
  #stored<T>(work: Promise<T>): Promise<T> {
    return within(STORE_PATIENCE, { host: this.#home.host }, work);
  }

  #notNow({ key }: OutboxEntry): void {
    for (const listener of this.postponed) listener(key);
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

  /** Whether anything of a partition may be sent now: only the current user's, and only with a network. */
  #open(partition: string): boolean {
    const { signal, host } = this.#home;
    return (
      !signal.aborted &&
      host.online.state &&
      !this.#paused.has(partition) &&
      signedIn(this.#home) === partition
    );
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
