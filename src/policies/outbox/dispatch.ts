import { withDeadline } from '../../core/clock.ts';
import type { Handler, PipelineContext } from '../../core/contract.ts';
import { isFailure } from '../../core/errors.ts';
import { LruMap } from '../../core/origins.ts';
import { watchUser } from '../../core/signed-in.ts';
import type { Settled } from './answers.ts';
import { brief, hookFailed, type Verdict } from './classify.ts';
import { contentOf } from './content.ts';
import { deliver, sendingOf } from './delivery.ts';
import type { OutboxEntry, Reason } from './entry.ts';
import type { Gate } from './gate.ts';
import { isSentOnce } from './judge.ts';
import type { Lease } from './lease.ts';
import type { News } from './news.ts';
import { HOOK_PATIENCE, type OutboxSettings, STORE_PATIENCE } from './options.ts';
import type { Outcomes } from './outcomes.ts';
import type { Permit } from './permit.ts';
import type { Queue } from './queue.ts';
import { rewritten } from './rewrite.ts';
import { scheduled } from './schedule.ts';
import { Slots } from './slots.ts';
import type { Supplied } from './supply.ts';

/** What a lane does after a sending; `reread`: with what is now its first. */
export type Next = 'on' | 'reread' | 'stop';

/** Who sends a lane. */
export interface Drain {
  readonly lease: Lease | undefined;
  readonly permit: Permit;
}

/** Sends one entry, and does with it what the answer says. */
export class Dispatch {
  readonly #next: Handler;
  readonly #pipeline: PipelineContext;
  readonly #queue: Queue;
  readonly #outcomes: Outcomes;
  readonly #news: News;
  readonly #settings: OutboxSettings;
  readonly #gate: Gate;
  /** For each origin, so that one that hangs does not hold up the others. */
  readonly #slots: LruMap<Slots>;
  /** Told when an entry could not be delivered just now. */
  readonly postponed = new Set<(key: string) => void>();

  constructor(
    next: Handler,
    pipeline: PipelineContext,
    queue: Queue,
    outcomes: Outcomes,
    news: News,
    settings: OutboxSettings,
    gate: Gate,
  ) {
    this.#next = next;
    this.#pipeline = pipeline;
    this.#queue = queue;
    this.#outcomes = outcomes;
    this.#news = news;
    this.#settings = settings;
    this.#gate = gate;
    this.#slots = new LruMap(() => new Slots(settings.concurrency));
  }

  /** Why an entry need not be sent at all. */
  hopeless(entry: OutboxEntry): Reason | undefined {
    if (this.#pipeline.host.clock.now() >= entry.expiresAt) return { ...entry.reason, code: 'expired' };
    if (entry.unreadable) return entry.reason;
    // The lane is ours, so whoever began that sending is no more.
    if (entry.claimedAt !== undefined && isSentOnce(entry, this.#settings))
      return { code: 'unknown-outcome', message: 'it was being sent, and nobody has heard the answer' };
    return undefined;
  }

  /** As soon as few enough others are being sent. Settles when what became of it is on the disk. */
  send(supplied: Supplied, drain: Drain): Promise<Next> {
    return this.#slots.get(supplied.entry.origin).run(() => this.#send(supplied, drain));
  }

  async #send(supplied: Supplied, drain: Drain): Promise<Next> {
    const { entry } = supplied;
    const { id, origin, lane, partition, attempts, misses = 0, key } = entry;
    const isAllowed = (): boolean => drain.permit.holdsFor(supplied);
    // It may have waited for its turn.
    if (!isAllowed()) return 'reread';
    const call = sendingOf(entry, this.#pipeline);
    const { verdict, settled } = await deliver(supplied, {
      call,
      next: this.#next,
      queue: this.#queue,
      settings: this.#settings,
      lease: drain.lease,
      isAllowed,
      isSameUser: watchUser(partition, this.#pipeline),
      sending: () =>
        this.#news.tell(
          { type: 'sending', id, origin, lane, attempt: attempts + misses + 1, callId: call.id },
          partition,
          key,
        ),
    });
    // What a closing page has not heard to the end is asked again by the next one; that it was delivered is known.
    if (this.#pipeline.signal.aborted && verdict.is !== 'delivered') return 'stop';
    switch (verdict.is) {
      case 'gone':
        return anew(drain);
      case 'delivered':
        return (await this.#outcomes.delivered(entry, settled as Settled, drain.lease)) ? 'on' : 'stop';
      case 'dead':
        return this.bury({ ...entry, attempts: attempts + 1 }, verdict.reason, settled, drain);
      case 'rewrite':
        return this.#rewrite(entry, verdict, settled, drain);
      case 'again':
        return this.#again(entry, verdict, settled, drain);
      default:
        this.#gate.pause(partition);
        await this.#stored(
          this.#queue.update(entry, { reason: verdict.reason, claimedAt: entry.claimedAt }, drain.lease),
        );
        this.#news.tell({ type: 'outbox-paused', id, origin, lane }, partition, key);
        this.#notNow(entry);
        return 'stop';
    }
  }

  async #again(
    entry: OutboxEntry,
    verdict: Extract<Verdict, { is: 'again' }>,
    settled: Settled | undefined,
    drain: Drain,
  ): Promise<Next> {
    const { id, origin, lane, partition, key, conflicts = 0, claimedAt } = entry;
    const { reason, cost } = verdict;
    const next = scheduled(entry, verdict, this.#pipeline.host, this.#settings);
    if (next.attempts >= this.#settings.attempts)
      return this.bury({ ...entry, ...next }, { ...reason, code: 'attempts' }, settled, drain);
    // What may have arrived is not unsent any more; nor is it where an earlier sending may have.
    const mayHave = (cost === 'attempt' || cost === 'silence') && !isSentOnce(entry, this.#settings);
    const after = {
      ...next,
      reason,
      conflicts: reason.status === 409 ? conflicts + 1 : 0,
      ...(!mayHave && { claimedAt }),
    };
    await this.#stored(this.#queue.update(entry, after, drain.lease));
    this.#news.tell(
      { type: 'postponed', id, origin, lane, at: next.notBefore, cause: reason },
      partition,
      key,
    );
    this.#notNow(entry);
    return 'stop';
  }

  /** What the application wants sent instead goes out at once, and counts as an attempt. */
  async #rewrite(
    entry: OutboxEntry,
    { request, reason }: Extract<Verdict, { is: 'rewrite' }>,
    settled: Settled | undefined,
    drain: Drain,
  ): Promise<Next> {
    const attempts = entry.attempts + 1;
    if (attempts >= this.#settings.attempts)
      return this.bury({ ...entry, attempts }, { ...reason, code: 'attempts' }, settled, drain);
    try {
      // Its body may never end, and the lane waits for it.
      const reading = contentOf(request, this.#settings, this.#pipeline);
      const content = await withDeadline(HOOK_PATIENCE, this.#pipeline, reading);
      const after = { ...rewritten(entry, content, this.#pipeline.host), attempts, reason };
      const isDone = await this.#stored(this.#queue.rewrite(entry, after, content.body, drain.lease));
      return isDone ? 'reread' : anew(drain);
    } catch (error) {
      if (this.#pipeline.signal.aborted) return 'stop';
      const message = isFailure(error)
        ? brief(`onConflict: ${error.message}`)
        : hookFailed('onConflict', error);
      return this.bury({ ...entry, attempts }, { ...reason, message }, settled, drain);
    }
  }

  /** Gives an entry up. */
  async bury(entry: OutboxEntry, reason: Reason, settled: Settled | undefined, drain: Drain): Promise<Next> {
    const { attempts, misses = 0, notBefore, asked = false, silentSince } = entry;
    const { lease } = drain;
    const isDead = await this.#outcomes.bury(entry, reason, {
      changes: { attempts, misses, notBefore, asked, silentSince, claimedAt: undefined },
      ...(settled && { settled }),
      ...(lease && { fence: lease }),
    });
    return isDead ? 'on' : anew(drain);
  }

  /** What is to be written is written, also while the page closes. */
  #stored<T>(work: Promise<T>): Promise<T> {
    return withDeadline(STORE_PATIENCE, { host: this.#pipeline.host }, work);
  }

  #notNow({ key }: OutboxEntry): void {
    for (const listener of this.postponed) listener(key);
  }
}

/** An entry is not as it was thought to be. Where there are leases the lane may be somebody else's: then it has to be had again. */
const anew = ({ lease }: Drain): Next => (lease ? 'stop' : 'reread');
