import { within } from '../../core/clock.ts';
import type { Handler, Home } from '../../core/contract.ts';
import { exclusively } from '../../core/locks.ts';
import type { Answers, Settled } from './answers.ts';
import type { Verdict } from './classify.ts';
import { deliver, sendingOf } from './delivery.ts';
import type { OutboxEntry, Reason } from './entry.ts';
import { type OutboxSettings, STORE_PATIENCE } from './options.ts';
import type { Queue } from './queue.ts';
import { dueIn, scheduled, sooner, type Waits } from './schedule.ts';
import { onTrouble } from './trouble.ts';

/** After so long in line for a lane, in ms, another page is taken to look after it. */
const LINE_PATIENCE = 10_000;

/** The longest timer, in ms: wall time may jump while the machine sleeps. */
const LONGEST_TIMER = 3_600_000;

/** A lane that this page is draining, or in line for. */
interface Draining {
  /** Whether to look again afterwards, and who is in a hurry then. */
  again: Waits | undefined;
  done: Promise<void>;
  /** As `done`, but does not wait for another page. */
  soon: Promise<void>;
}

/** Sends what waits: one lane by one sender, in order; lanes beside each other. */
export class Sender {
  readonly #next: Handler;
  readonly #home: Home;
  readonly #queue: Queue;
  readonly #answers: Answers;
  readonly #settings: OutboxSettings;
  readonly #draining = new Map<string, Draining>();
  readonly #timers = new Map<string, () => void>();
  /** Partitions whose credentials were refused. */
  readonly #paused = new Set<string>();
  /** Told when an entry could not be delivered just now. */
  readonly postponed = new Set<(key: string) => void>();

  constructor(next: Handler, home: Home, queue: Queue, answers: Answers, settings: OutboxSettings) {
    this.#next = next;
    this.#home = home;
    this.#queue = queue;
    this.#answers = answers;
    this.#settings = settings;
    home.signal.addEventListener('abort', () => this.#stop(), { once: true });
  }

  /** Looks after every lane of the current user. */
  async wake(waits: Waits): Promise<void> {
    const partition = this.#partition();
    if (partition === undefined || !this.#open(partition)) return;
    const lanes = await within(STORE_PATIENCE, this.#home, this.#queue.lanes(partition));
    await Promise.all(lanes.map((lane) => this.#drained(partition, lane, waits).soon));
    await this.#stored(this.#queue.expire(this.#home.host.clock.now()));
  }

  resume(partition: string): void {
    this.#paused.delete(partition);
  }

  /** Sends what is due in a lane. Settles when there is nothing more to send now. */
  drain(partition: string, lane: string, waits: Waits = 'all'): Promise<void> {
    return this.#drained(partition, lane, waits).done;
  }

  #drained(partition: string, lane: string, waits: Waits): Draining {
    const name = `${encodeURIComponent(partition)} ${encodeURIComponent(lane)}`;
    const running = this.#draining.get(name);
    if (running) {
      running.again = sooner(running.again ?? 'all', waits);
      return running;
    }
    let elsewhere = (): void => {};
    const soon = new Promise<void>((give) => {
      elsewhere = give;
    });
    const state: Draining = { again: waits, done: Promise.resolve(), soon };
    this.#draining.set(name, state);
    state.done = (async () => {
      try {
        do {
          const now = state.again as Waits;
          state.again = undefined;
          await this.#drainOnce(partition, lane, name, now, elsewhere);
        } while (state.again && this.#open(partition));
      } catch (error) {
        onTrouble(this.#home, this.#settings.store, 'drain', error);
      } finally {
        // In the same step as the last look at `again`: who comes later must find that nobody is draining.
        this.#draining.delete(name);
        elsewhere();
      }
    })();
    return state;
  }

  #drainOnce(
    partition: string,
    lane: string,
    name: string,
    waits: Waits,
    elsewhere: () => void,
  ): Promise<void> {
    const { signal, host } = this.#home;
    this.#timers.get(name)?.();
    this.#timers.delete(name);
    const inLine = host.clock.after(LINE_PATIENCE, elsewhere, { background: true });
    return exclusively(`holdfast outbox ${this.#home.name} ${name}`, signal, async () => {
      inLine();
      while (this.#open(partition)) {
        const entry = await this.#head(partition, lane);
        if (!entry) return;
        const now = host.clock.now();
        const wait = dueIn(entry, now, waits, this.#settings);
        if (now >= entry.expiresAt) await this.#bury(entry, { ...entry.reason, code: 'expired' });
        else if (wait > 0) return this.#later(name, partition, lane, wait);
        else if (!(await this.#send(entry))) return this.#look(name, partition, lane);
      }
    }).finally(inLine);
  }

  /** @returns whether the lane goes on. */
  async #send(entry: OutboxEntry): Promise<boolean> {
    const { id, origin, lane, partition, attempts, misses = 0 } = entry;
    const { emit, signal } = this.#home;
    const call = sendingOf(entry, this.#home);
    const { verdict, settled } = await deliver(entry, {
      call,
      next: this.#next,
      queue: this.#queue,
      settings: this.#settings,
      allowed: () => this.#open(partition),
      sending: () =>
        emit?.({ type: 'sending', id, origin, lane, attempt: attempts + misses + 1, callId: call.id }),
    });
    if (signal.aborted) return false;
    switch (verdict.is) {
      case 'gone':
        return true;
      case 'delivered':
        await this.#delivered(entry, settled as Settled);
        return true;
      case 'dead':
        await this.#bury({ ...entry, attempts: attempts + 1 }, verdict.reason, settled);
        return true;
      case 'again':
        return this.#again(entry, verdict, settled);
      default:
        this.#paused.add(partition);
        await this.#stored(this.#queue.update(entry, { reason: verdict.reason }));
        emit?.({ type: 'outbox-paused', id, origin, lane });
        this.#notNow(entry);
        return false;
    }
  }

  async #delivered(entry: OutboxEntry, settled: Settled): Promise<void> {
    const { id, origin, lane, key } = entry;
    const kept = this.#kept(settled);
    // Whoever removed it meanwhile has been told so.
    if (!(await this.#stored(this.#queue.settle(entry, kept.result, kept.body)))) return;
    const status = settled.result.response?.status ?? 0;
    this.#home.emit?.({ type: 'delivered', id, origin, lane, status });
    this.#answers.settled(key, settled);
  }

  async #again(
    entry: OutboxEntry,
    verdict: Extract<Verdict, { is: 'again' }>,
    settled: Settled | undefined,
  ): Promise<boolean> {
    const { id, origin, lane, conflicts = 0 } = entry;
    const { reason } = verdict;
    const next = scheduled(entry, verdict, this.#home.host, this.#settings);
    if (next.attempts >= this.#settings.attempts) {
      await this.#bury({ ...entry, ...next }, { ...reason, code: 'attempts' }, settled);
      return true;
    }
    const after = { ...next, reason, conflicts: reason.status === 409 ? conflicts + 1 : 0 };
    await this.#stored(this.#queue.update(entry, after));
    this.#home.emit?.({ type: 'postponed', id, origin, lane, at: next.notBefore, cause: reason });
    this.#notNow(entry);
    return false;
  }

  async #bury(entry: OutboxEntry, reason: Reason, settled?: Settled): Promise<void> {
    const { id, origin, lane, key } = entry;
    const base = settled?.result ?? { id, settledAt: this.#home.host.clock.now(), delivered: false };
    const whole = { result: { ...base, delivered: false, reason }, body: settled?.body };
    const kept = this.#kept(whole);
    if (!(await this.#stored(this.#queue.bury(entry, kept.result, kept.body)))) return;
    const { code, status } = reason;
    this.#home.emit?.({ type: 'dead-lettered', id, origin, lane, reason: code, status });
    this.#answers.settled(key, whole);
  }

  /** That there was an answer is kept in any case: the same `id` must not be sent a second time. */
  #kept({ result, body }: Settled): Settled {
    if (this.#settings.storeResult > 0) return { result, body };
    const { response: _, ...bare } = result;
    return { result: bare, body: undefined };
  }

  /** The next of a lane. Who hangs on this when the page closes must give the lane back. */
  #head(partition: string, lane: string): Promise<OutboxEntry | undefined> {
    return within(STORE_PATIENCE, this.#home, this.#queue.head(partition, lane));
  }

  /** What is to be written is written, also while the page closes. */
  #stored<T>(work: Promise<T>): Promise<T> {
    return within(STORE_PATIENCE, { host: this.#home.host }, work);
  }

  #notNow({ key }: OutboxEntry): void {
    for (const listener of this.postponed) listener(key);
  }

  /** Comes back to a lane when its head is due. */
  async #look(name: string, partition: string, lane: string): Promise<void> {
    const head = await this.#head(partition, lane);
    if (head) this.#later(name, partition, lane, head.notBefore - this.#home.host.clock.now());
  }

  #later(name: string, partition: string, lane: string, ms: number): void {
    this.#timers.get(name)?.();
    if (this.#home.signal.aborted) return;
    const task = (): void => void this.drain(partition, lane);
    const wait = Math.min(Math.max(0, ms), LONGEST_TIMER);
    this.#timers.set(name, this.#home.host.clock.after(wait, task, { background: true }));
  }

  /** Whether anything of a partition may be sent now: only the current user's, and only with a network. */
  #open(partition: string): boolean {
    const { signal, host } = this.#home;
    return (
      !signal.aborted && host.online.state && !this.#paused.has(partition) && this.#partition() === partition
    );
  }

  /** Nobody, where the application cannot say: before sign-in. */
  #partition(): string | undefined {
    try {
      return this.#home.partition();
    } catch {
      return undefined;
    }
  }

  #stop(): void {
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
  }
}
