import { within } from '../../core/clock.ts';
import type { Home } from '../../core/contract.ts';
import { isFull } from '../../core/full.ts';
import type { Answers, Settled } from './answers.ts';
import type { OutboxEntry, Reason, StoredResult } from './entry.ts';
import type { News } from './news.ts';
import { type OutboxSettings, STORE_PATIENCE } from './options.ts';
import type { Row } from './packing.ts';
import type { Queue } from './queue.ts';
import type { Fence } from './rows.ts';
import type { Delivered } from './settling.ts';

/** What becomes of an entry. */
export type End = 'delivered' | 'dead-lettered' | 'removed';

/** How entries come to their end: written, and told to everybody. */
export class Outcomes {
  readonly #home: Home;
  readonly #queue: Queue;
  readonly #answers: Answers;
  readonly #news: News;
  readonly #settings: OutboxSettings;
  readonly #ended: (entry: OutboxEntry, outcome: End) => void;

  /** @param ended Told of each that has come to its end. */
  constructor(
    home: Home,
    queue: Queue,
    answers: Answers,
    news: News,
    settings: OutboxSettings,
    ended: (entry: OutboxEntry, outcome: End) => void,
  ) {
    this.#ended = ended;
    this.#home = home;
    this.#queue = queue;
    this.#answers = answers;
    this.#news = news;
    this.#settings = settings;
  }

  /** Takes out some of a lane, in order. What it fails with leaves all of them, or the last ones. */
  async delivered(batch: readonly Delivered[], fence?: Fence): Promise<void> {
    let isLate = false;
    const mayComeAgain = batch.every((each) => each.mayComeAgain);
    const settling = this.#queue.deliveries.settle(
      batch.map(({ entry, settled }) => ({ entry, answer: this.#kept(settled) })),
      // What is to be sent once was sent when nothing else was under way: that it was delivered stands, whoever has the lane.
      mayComeAgain ? { durability: 'relaxed', fence } : { durability: 'strict' },
      () => {
        // By then they may be under way again.
        if (isLate) throw new Error('it is too late to take it out');
      },
    );
    const told = (ended: readonly boolean[]): void => {
      for (const [at, each] of batch.entries()) this.#tellDelivered(each, ended[at] === true);
    };
    try {
      told(await this.#stored(settling));
    } catch (error) {
      isLate = true;
      // If it was under way by then.
      settling.then(told, () => {});
      if (batch.length === 1 || !isFull(error)) throw error;
      // The disk may have room for some.
      for (const each of batch) await this.delivered([each], fence);
    }
  }

  #tellDelivered({ entry, settled }: Delivered, found: boolean): void {
    const { id, origin, lane, partition, key, meta } = entry;
    // Gone meanwhile: whoever removed it has been told so, and hears nothing more; a browser that has deleted its database
    // has told nobody, and who waits has their answer.
    if (!found) {
      this.#answers.tell(key, settled);
      return;
    }
    const status = settled.result.response?.status ?? 0;
    this.#news.tell({ type: 'delivered', id, origin, lane, status }, partition, key);
    this.#answers.tell(key, settled);
    this.#news.tell(
      { type: 'settled', id, origin, lane, outcome: 'delivered', status, meta },
      partition,
      key,
    );
    this.#ended(entry, 'delivered');
  }

  /**
   * Makes it a dead letter.
   *
   * @param changes What else is to be known of it.
   * @returns false where it is not as it was, or the lane is somebody else's: nothing has changed.
   */
  async bury(
    entry: OutboxEntry,
    reason: Reason,
    { settled, changes = {}, fence }: { settled?: Settled; changes?: Partial<Row>; fence?: Fence } = {},
  ): Promise<boolean> {
    const { id, origin, lane, partition, key, meta } = entry;
    const base = settled?.result ?? this.#undelivered(id, reason);
    const whole = { result: { ...base, delivered: false, reason }, body: settled?.body };
    const burial = this.#queue.endings.bury(entry, changes, reason, this.#kept(whole), fence);
    if (!(await this.#stored(burial))) return false;
    const { code, status } = reason;
    this.#news.tell({ type: 'dead-lettered', id, origin, lane, reason: code, status }, partition, key);
    this.#answers.tell(key, whole);
    this.#news.tell(
      { type: 'settled', id, origin, lane, outcome: 'dead-lettered', reason: code, status, meta },
      partition,
      key,
    );
    this.#ended(entry, 'dead-lettered');
    return true;
  }

  /** Takes it out, whatever its state: the application's decision. @returns whether it was there. */
  async remove(entry: OutboxEntry): Promise<boolean> {
    const { id, origin, lane, partition, key, meta } = entry;
    const settled = { result: this.#undelivered(id, { code: 'removed' }), body: undefined };
    const found = await this.#queue.endings.remove(entry);
    if (found) this.#news.tell({ type: 'removed', id, origin, lane }, partition, key);
    // Where it has been delivered in this moment, it was, and who waits reads that.
    if (found) this.#answers.tell(key, settled);
    else this.#answers.tell(key);
    if (found)
      this.#news.tell({ type: 'settled', id, origin, lane, outcome: 'removed', meta }, partition, key);
    this.#ended(entry, 'removed');
    return found;
  }

  /** What is to be written is written, also while the page closes. */
  #stored<T>(work: Promise<T>): Promise<T> {
    return within(STORE_PATIENCE, { host: this.#home.host }, work);
  }

  #undelivered(id: string, reason: Reason): StoredResult {
    return { id, settledAt: this.#home.host.clock.now(), delivered: false, reason };
  }

  /** That there was an answer is kept in any case: the same `id` must not be sent a second time. */
  #kept({ result, body }: Settled): Settled {
    if (this.#settings.storeResult > 0) return { result, body };
    const { response: _, ...bare } = result;
    return { result: bare, body: undefined };
  }
}
