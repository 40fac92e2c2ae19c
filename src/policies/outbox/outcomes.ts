import { withDeadline } from '../../core/clock.ts';
import type { PipelineContext } from '../../core/contract.ts';
import { carriesCredentials } from '../../http/credentials.ts';
import type { Answers, Settled } from './answers.ts';
import type { OutboxEntry, Reason, StoredResult } from './entry.ts';
import type { News } from './news.ts';
import { type OutboxSettings, STORE_PATIENCE } from './options.ts';
import type { Row } from './packing.ts';
import type { Queue } from './queue.ts';
import type { Fence } from './rows.ts';

/** What becomes of an entry. */
export type End = 'delivered' | 'dead-lettered' | 'removed';

/** How entries come to their end: written, and told to everybody. */
export class Outcomes {
  readonly #pipeline: PipelineContext;
  readonly #queue: Queue;
  readonly #answers: Answers;
  readonly #news: News;
  readonly #settings: OutboxSettings;
  readonly #ended: (entry: OutboxEntry, outcome: End) => void;

  /** @param ended Told of each that has come to its end. */
  constructor(
    pipeline: PipelineContext,
    queue: Queue,
    answers: Answers,
    news: News,
    settings: OutboxSettings,
    ended: (entry: OutboxEntry, outcome: End) => void,
  ) {
    this.#ended = ended;
    this.#pipeline = pipeline;
    this.#queue = queue;
    this.#answers = answers;
    this.#news = news;
    this.#settings = settings;
  }

  /**
   * Acknowledges an entry on the disk.
   *
   * @returns whether the lane is still ours.
   * @throws what that has failed with; the entry then waits as before.
   */
  async delivered(entry: OutboxEntry, settled: Settled, fence?: Fence): Promise<boolean> {
    let isLate = false;
    const proceed = (): void => {
      // By then it may be under way again.
      if (isLate) throw new Error('acknowledge timed out; the entry stays queued');
    };
    const acknowledging = this.#queue.endings.acknowledge(entry, this.#kept(settled), proceed, fence);
    const told = ({ found }: { readonly found: boolean }): void => this.#tellDelivered(entry, settled, found);
    try {
      const ended = await this.#stored(acknowledging);
      told(ended);
      return ended.isOurs;
    } catch (error) {
      isLate = true;
      // If it was under way by then.
      acknowledging.then(told, () => {});
      throw error;
    }
  }

  #tellDelivered(entry: OutboxEntry, settled: Settled, found: boolean): void {
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
    return withDeadline(STORE_PATIENCE, { host: this.#pipeline.host }, work);
  }

  #undelivered(id: string, reason: Reason): StoredResult {
    return { id, settledAt: this.#pipeline.host.clock.now(), delivered: false, reason };
  }

  /** That there was an answer is kept in any case: the same `id` must not be sent a second time. */
  #kept({ result, body }: Settled): Settled {
    const { response, ...bare } = result;
    if (this.#settings.resultTtl === 0) return { result: bare, body: undefined };
    if (!response) return { result, body };
    const headers = response.headers.filter(([name]) => !carriesCredentials(name));
    return { result: { ...result, response: { ...response, headers } }, body };
  }
}
