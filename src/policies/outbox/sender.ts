import type { Handler, Home } from '../../core/contract.ts';
import { exclusively } from '../../core/locks.ts';
import type { Answers, Settled } from './answers.ts';
import { deliver, sendingOf } from './delivery.ts';
import type { OutboxEntry, Reason } from './entry.ts';
import type { OutboxSettings } from './options.ts';
import type { Queue } from './queue.ts';
import { onTrouble } from './trouble.ts';

/** The first backoff is up to this, in ms; it doubles. */
const FIRST_BACKOFF = 2_000;

/** When to ask again an origin that was not reached at all, in ms. */
const UNREACHED = 15_000;

/** Sends what waits: one lane by one sender, in order; lanes beside each other. */
export class Sender {
  readonly #next: Handler;
  readonly #home: Home;
  readonly #queue: Queue;
  readonly #answers: Answers;
  readonly #settings: OutboxSettings;
  /** The lanes that this page is draining, and whether to look again afterwards. */
  readonly #draining = new Map<string, { done: Promise<void>; again: boolean }>();
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

  /** Looks after every lane of the current user. @param eager Waits that no origin asked for are over. */
  async wake(eager: boolean): Promise<void> {
    const partition = this.#partition();
    if (partition === undefined || !this.#open(partition)) return;
    const lanes = await this.#queue.lanes(partition);
    await Promise.all(lanes.map((lane) => this.drain(partition, lane, eager)));
    const { storeResult } = this.#settings;
    await this.#queue.expire(this.#home.host.clock.now() - storeResult);
  }

  resume(partition: string): void {
    this.#paused.delete(partition);
  }

  /** Sends what is due in a lane. Settles when there is nothing more to send now. */
  drain(partition: string, lane: string, eager = false): Promise<void> {
    const name = `${encodeURIComponent(partition)} ${encodeURIComponent(lane)}`;
    const running = this.#draining.get(name);
    if (running) {
      running.again = true;
      return running.done;
    }
    const state = { again: false, done: Promise.resolve() };
    this.#draining.set(name, state);
    state.done = (async () => {
      try {
        do {
          state.again = false;
          await this.#drainOnce(partition, lane, name, eager);
        } while (state.again && this.#open(partition));
      } catch (error) {
        onTrouble(this.#home, this.#settings.store, 'drain', error);
      } finally {
        // In the same step as the last look at `again`: who comes later must find that nobody is draining.
        this.#draining.delete(name);
      }
    })();
    return state.done;
  }

  #drainOnce(partition: string, lane: string, name: string, eager: boolean): Promise<void> {
    const { signal, host } = this.#home;
    this.#timers.get(name)?.();
    this.#timers.delete(name);
    return exclusively(`holdfast outbox ${this.#home.name} ${name}`, signal, async () => {
      while (this.#open(partition)) {
        const entry = await this.#queue.head(partition, lane);
        if (!entry) return;
        const now = host.clock.now();
        const wait = eager && !entry.asked ? 0 : entry.notBefore - now;
        if (now >= entry.expiresAt) await this.#bury(entry, { ...entry.reason, code: 'expired' });
        else if (wait > 0) return this.#later(name, partition, lane, wait);
        else if (!(await this.#send(entry))) return this.#look(name, partition, lane);
      }
    });
  }

  /** @returns whether the lane goes on. */
  async #send(entry: OutboxEntry): Promise<boolean> {
    const { id, origin, lane } = entry;
    const { host, emit, signal } = this.#home;
    const call = sendingOf(entry, this.#home);
    emit?.({ type: 'sending', id, origin, lane, attempt: entry.attempts + 1, callId: call.id });
    const { verdict, settled } = await deliver(entry, call, this.#next, this.#queue, this.#settings);
    if (signal.aborted) return false;
    if (verdict.is === 'delivered' && settled) {
      await this.#queue.settle(entry, this.#settings.storeResult ? settled.result : undefined, settled.body);
      emit?.({ type: 'delivered', id, origin, lane, status: settled.result.response?.status ?? 0 });
      this.#answers.settled(entry.key, settled);
      return true;
    }
    if (verdict.is === 'delivered') return false;
    if (verdict.is === 'dead') {
      await this.#bury({ ...entry, attempts: entry.attempts + 1 }, verdict.reason, settled);
      return true;
    }
    if (verdict.is === 'again') {
      const attempts = entry.attempts + (verdict.free ? 0 : 1);
      if (attempts >= this.#settings.attempts) {
        await this.#bury({ ...entry, attempts }, { ...verdict.reason, code: 'attempts' }, settled);
        return true;
      }
      const notBefore = host.clock.now() + this.#backoff(attempts, verdict.free ?? false, verdict.wait);
      const asked = verdict.wait !== undefined && !verdict.free;
      await this.#queue.update(entry, { attempts, notBefore, asked, reason: verdict.reason });
      emit?.({ type: 'postponed', id, origin, lane, at: notBefore, cause: verdict.reason });
    } else {
      this.#paused.add(entry.partition);
      await this.#queue.update(entry, { reason: verdict.reason });
      emit?.({ type: 'outbox-paused', id, origin, lane });
    }
    for (const listener of this.postponed) listener(entry.key);
    return false;
  }

  async #bury(entry: OutboxEntry, reason: Reason, settled?: Settled): Promise<void> {
    const { id, origin, lane, key } = entry;
    const { clock } = this.#home.host;
    const base = settled?.result ?? { id, settledAt: clock.now(), delivered: false };
    const result = { ...base, delivered: false, reason };
    await this.#queue.bury(entry, result, settled?.body);
    this.#home.emit?.({
      type: 'dead-lettered',
      id,
      origin,
      lane,
      reason: reason.code,
      status: reason.status,
    });
    this.#answers.settled(key, { result, body: settled?.body });
  }

  /** What was asked for comes first; jitter on top, or all who were turned away come back together. */
  #backoff(attempts: number, unreached: boolean, asked: number | undefined): number {
    const most = Math.min(
      this.#settings.backoffLimit,
      unreached ? UNREACHED : FIRST_BACKOFF * 2 ** (attempts - 1),
    );
    const jitter = most * this.#home.host.random();
    return asked === undefined ? jitter : asked + Math.min(jitter, 1_000);
  }

  /** Comes back to a lane when its head is due. */
  async #look(name: string, partition: string, lane: string): Promise<void> {
    const head = await this.#queue.head(partition, lane);
    if (head) this.#later(name, partition, lane, head.notBefore - this.#home.host.clock.now());
  }

  #later(name: string, partition: string, lane: string, ms: number): void {
    this.#timers.get(name)?.();
    if (this.#home.signal.aborted) return;
    const task = (): void => void this.drain(partition, lane);
    // At most an hour: wall time may jump while the machine sleeps.
    const wait = Math.min(Math.max(0, ms), 3_600_000);
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
