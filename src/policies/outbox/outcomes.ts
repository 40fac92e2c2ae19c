import { within } from '../../core/clock.ts';
import type { Home } from '../../core/contract.ts';
import type { Answers, Settled } from './answers.ts';
import type { OutboxEntry, Reason } from './entry.ts';
import type { News } from './news.ts';
import { type OutboxSettings, STORE_PATIENCE } from './options.ts';
import type { Row } from './packing.ts';
import type { Queue } from './queue.ts';
import type { Fence } from './rows.ts';

/** How entries come to their end: written, told to everybody, and what hangs on them with them. */
export class Outcomes {
  readonly #home: Home;
  readonly #queue: Queue;
  readonly #answers: Answers;
  readonly #news: News;
  readonly #settings: OutboxSettings;
  readonly #settled: (key: string) => void;

  /** @param settled Told the key of each that has come to its end. */
  constructor(
    home: Home,
    queue: Queue,
    answers: Answers,
    news: News,
    settings: OutboxSettings,
    settled: (key: string) => void,
  ) {
    this.#settled = settled;
    this.#home = home;
    this.#queue = queue;
    this.#answers = answers;
    this.#news = news;
    this.#settings = settings;
  }

  async delivered(entry: OutboxEntry, settled: Settled): Promise<void> {
    const { id, origin, lane, partition, key, meta } = entry;
    const { found } = await this.#stored(this.#queue.endings.settle(entry, this.#kept(settled)));
    // Gone meanwhile: whoever removed it has been told so, and hears nothing more; a browser that has deleted its database
    // has told nobody, and who waits has their answer.
    if (!found) return this.#answers.tell(key, settled);
    const status = settled.result.response?.status ?? 0;
    this.#news.tell({ type: 'delivered', id, origin, lane, status }, partition, key);
    this.#answers.tell(key, settled);
    this.#news.tell(
      { type: 'settled', id, origin, lane, outcome: 'delivered', status, meta },
      partition,
      key,
    );
    this.#settled(key);
  }

  /** Makes it a dead letter, and those that wait for it. @param changes What else is to be known of it. */
  async bury(
    entry: OutboxEntry,
    reason: Reason,
    { settled, changes = {}, fence }: { settled?: Settled; changes?: Partial<Row>; fence?: Fence } = {},
  ): Promise<void> {
    const { id, origin, lane, partition, key, meta } = entry;
    const base = settled?.result ?? { id, settledAt: this.#home.host.clock.now(), delivered: false };
    const whole = { result: { ...base, delivered: false, reason }, body: settled?.body };
    const burial = this.#queue.endings.bury(entry, changes, reason, this.#kept(whole), fence);
    const { found, dependants } = await this.#stored(burial);
    if (!found) return;
    const { code, status } = reason;
    this.#news.tell({ type: 'dead-lettered', id, origin, lane, reason: code, status }, partition, key);
    this.#answers.tell(key, whole);
    this.#news.tell(
      { type: 'settled', id, origin, lane, outcome: 'dead-lettered', reason: code, status, meta },
      partition,
      key,
    );
    await this.#failWith(entry, dependants);
    this.#settled(key);
  }

  /** Takes it out, whatever its state: the application's decision. @returns whether it was there. */
  async remove(entry: OutboxEntry): Promise<boolean> {
    const { id, origin, lane, partition, key, meta } = entry;
    // Before it: one that is left alone would be sent as if it had been delivered.
    await this.#failWith(entry, entry.dependants ?? []);
    const { found, dependants } = await this.#queue.endings.remove(entry);
    // And those that have come meanwhile.
    await this.#failWith(entry, dependants);
    if (found) this.#news.tell({ type: 'removed', id, origin, lane }, partition, key);
    const result = {
      id,
      settledAt: this.#home.host.clock.now(),
      delivered: false,
      reason: { code: 'removed' },
    };
    this.#answers.tell(key, { result, body: undefined });
    if (found)
      this.#news.tell({ type: 'settled', id, origin, lane, outcome: 'removed', meta }, partition, key);
    this.#settled(key);
    return found;
  }

  /** The write that an entry has to wait for, or that it fails with. */
  async obstacle({ waitsFor = [] }: OutboxEntry): Promise<OutboxEntry | undefined> {
    for (const key of waitsFor) {
      const parent = await within(STORE_PATIENCE, this.#home, this.#queue.get(key));
      if (parent) return parent;
    }
    return undefined;
  }

  /** What is to be written is written, also while the page closes. */
  #stored<T>(work: Promise<T>): Promise<T> {
    return within(STORE_PATIENCE, { host: this.#home.host }, work);
  }

  async #failWith(parent: OutboxEntry, dependants: readonly string[]): Promise<void> {
    for (const key of dependants) {
      const entry = await this.#stored(this.#queue.get(key));
      if (entry?.state === 'waiting') await this.bury(entry, dependsOn(parent));
    }
  }

  /** That there was an answer is kept in any case: the same `id` must not be sent a second time. */
  #kept({ result, body }: Settled): Settled {
    if (this.#settings.storeResult > 0) return { result, body };
    const { response: _, ...bare } = result;
    return { result: bare, body: undefined };
  }
}

/** Why an entry fails with the one that it waits for. */
export const dependsOn = ({ id }: OutboxEntry): Reason => ({
  code: 'dependency',
  message: `'${id}', which it waits for, was not delivered`,
});
