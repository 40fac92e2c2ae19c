import { follow } from '../../core/abort.ts';
import { dropBody } from '../../core/body.ts';
import { type Call, type Handler, type Home, named, type Policy } from '../../core/contract.ts';
import { ClosedError, ConfigurationError, isFailure } from '../../core/errors.ts';
import { matches } from '../../core/match.ts';
import { withBody } from '../../core/replay.ts';
import type { AtomicStore } from '../../core/store.ts';
import { newKey, SAFE_METHODS } from '../../http/idempotency.ts';
import { accept, bodyOf } from './accept.ts';
import { Answers, answerOf, queued, ResultLostError, type Settled, UndeliveredError } from './answers.ts';
import { type OutboxEntry, withKey } from './entry.ts';
import {
  type CallOutbox,
  type EntriesQuery,
  type OutboxOptions,
  type OutboxSettings,
  readCallOutbox,
  readOutboxOptions,
  readQuery,
} from './options.ts';
import { Queue } from './queue.ts';
import { firstBackoff } from './schedule.ts';
import { Sender } from './sender.ts';
import { whenever } from './triggers.ts';
import { onTrouble } from './trouble.ts';

export interface Outbox extends Policy {
  /**
   * The real answer to a queued write: at once if it has come, else when it comes; also after a reload.
   *
   * @throws {UndeliveredError} if the write became a dead letter without an answer, was removed, or is not known.
   */
  result(id: string): Promise<Response>;
  /** A page of the current user's entries, oldest first. */
  entries(query?: EntriesQuery): Promise<OutboxEntry[]>;
  /** What waits, of all partitions. */
  counts(): Promise<{ count: number; bytes: number }>;
  /** Sends a dead letter again, with the same key. @returns false if there is none of that id. */
  replay(id: string): Promise<boolean>;
  /** Removes an entry, waiting or dead: the application's decision. @returns false if there is none of that id. */
  remove(id: string): Promise<boolean>;
  /** Removes the current user's dead letters. @returns how many. */
  purge(): Promise<number>;
  /**
   * Tries all that waits now, also what an origin asked to wait. Settles when nothing more can be sent from here; a lane
   * that another page looks after is left to it.
   */
  flush(): Promise<void>;
  /** Goes on after a 401, with the credentials that `authorize` puts on now. */
  resume(): Promise<void>;
}

/** What is there once the outbox has its place in a pipeline. */
interface Parts {
  readonly home: Home;
  readonly queue: Queue;
  readonly sender: Sender;
  readonly answers: Answers;
}

/** One outbox to a name in this realm; two would send each other's entries through the wrong pipeline. */
const names = new Set<string>();

/**
 * Keeps a write until it is delivered. The entry is committed with strict durability before it is sent, and it is
 * removed only after its answer has been classified; the same `Idempotency-Key` goes with every sending.
 *
 * @throws {StorageError} from a call whose write could not be committed: it was not accepted.
 * @throws {CapacityError} from a call when the outbox is full, or the body too large.
 */
export function outboxPolicy(options: OutboxOptions, defaultStore: () => AtomicStore): Outbox {
  const settings = readOutboxOptions(options, options.store ?? defaultStore());
  let parts: Parts | undefined;
  const composed = (): Parts => {
    if (parts) return parts;
    throw new ConfigurationError(
      'outbox',
      'this outbox',
      'it has to be part of a pipeline before it is used',
    );
  };

  const policy: Policy = (next, home) => {
    if (parts || names.has(home.name))
      throw new ConfigurationError(
        'name',
        home.name,
        'another outbox has this name; name the pipelines, or close the other',
      );
    parts = assemble(next, home, settings);
    names.add(home.name);
    home.signal.addEventListener(
      'abort',
      () => {
        names.delete(home.name);
        settings.store.close().catch(() => {});
      },
      { once: true },
    );
    const assembled = parts;
    return (request, call) => {
      if (SAFE_METHODS.includes(request.method)) return next(request, call);
      const wanted = wantedFor(request, call, settings);
      if (wanted !== undefined) return enqueue(request, call, readCallOutbox(wanted), assembled, settings);
      return call.mayQueue ? enqueueFailed(next, request, call, assembled, settings) : next(request, call);
    };
  };

  const find = async (id: string): Promise<OutboxEntry | undefined> => {
    const { queue, home } = composed();
    return queue.find(home.partition(), id);
  };

  return Object.assign(named('outbox', policy, { needsPartition: true }), {
    async result(id: string) {
      const { queue, home } = composed();
      const entry = await find(id);
      if (entry?.state === 'waiting') return answerOf(await awaited(entry, composed()));
      const stored = await queue.resultOf(home.partition(), id);
      if (stored) return answerOf(stored);
      // A dead letter is kept longer than its answer.
      if (entry?.reason) throw new UndeliveredError('dead-lettered', id, entry.reason);
      throw new UndeliveredError('outbox-unknown', id, { code: 'unknown' });
    },
    entries: async (query: EntriesQuery = {}) =>
      composed().queue.list(composed().home.partition(), readQuery(query)),
    counts: async () => composed().queue.counts(),
    async replay(id: string) {
      const entry = await find(id);
      if (entry?.state !== 'dead') return false;
      const { queue, sender, home } = composed();
      const now = home.host.clock.now();
      const fresh = {
        attempts: 0,
        misses: 0,
        conflicts: 0,
        silentSince: undefined,
        notBefore: 0,
        asked: false,
        expiresAt: now + settings.expiresAfter,
      };
      const found = await queue.revive(entry, fresh);
      void sender.drain(entry.partition, entry.lane);
      return found;
    },
    async remove(id: string) {
      const entry = await find(id);
      return entry ? removed(entry, composed()) : false;
    },
    async purge() {
      const { queue, home } = composed();
      let purged = 0;
      for (;;) {
        const dead = await queue.list(home.partition(), { state: 'dead', limit: 100 });
        if (dead.length === 0) return purged;
        for (const entry of dead) if (await removed(entry, composed())) purged++;
      }
    },
    flush: async () => composed().sender.wake('none'),
    async resume() {
      const { sender, home } = composed();
      sender.resume(home.partition());
      await sender.wake('asked');
    },
  });
}

function assemble(next: Handler, home: Home, settings: OutboxSettings): Parts {
  const { store } = settings;
  const queue = new Queue(home.name, settings);
  const answers = new Answers(home, store.durable);
  const sender = new Sender(next, home, queue, answers, settings);
  // Where I/O belongs to a request there is nothing to do between requests, and timers are refused.
  if (home.host.sharesIO)
    whenever(home, settings.every, (waits) => {
      sender.wake(waits).catch((error) => onTrouble(home, store, 'wake', error));
    });
  return { home, queue, answers, sender };
}

async function removed(entry: OutboxEntry, { queue, answers, home }: Parts): Promise<boolean> {
  const found = await queue.remove(entry);
  const { id, key, origin, lane } = entry;
  if (found) home.emit?.({ type: 'removed', id, origin, lane });
  const result = { id, settledAt: home.host.clock.now(), delivered: false, reason: { code: 'removed' } };
  answers.settled(key, { result, body: undefined });
  return found;
}

/** What the call says of the outbox, if the write is to be kept. Reads pass it by: a route or `extend` speaks for all. */
function wantedFor(request: Request, { options }: Call, { match }: OutboxSettings): unknown {
  return options.outbox ?? (match !== undefined && matches(match, request.url) ? true : undefined);
}

/** Accepts a write, and answers as soon as it is known what to answer. */
async function enqueue(
  request: Request,
  call: Call,
  wanted: CallOutbox,
  parts: Parts,
  settings: OutboxSettings,
  notBefore = 0,
): Promise<Response> {
  const { sender, queue } = parts;
  const late = ({ partition, lane }: OutboxEntry): void => void sender.drain(partition, lane);
  const { entry, known } = await accept(request, call, wanted, queue, settings, notBefore, late);
  const { id, origin, lane } = entry;
  call.emit?.({ type: 'queued', id, origin, lane, callId: call.id });
  return new Promise((resolve, reject) => {
    const ends: (() => void)[] = [];
    let over = false;
    const end = (settle: () => void): void => {
      if (over) return;
      over = true;
      for (const each of ends) each();
      settle();
    };
    const later = (): void => end(() => resolve(queued(entry)));
    const postponed = (key: string): void => void (key === entry.key && later());
    // Gone in the very moment of the commit: the entry stays.
    if (call.signal.aborted) return reject(call.signal.reason);
    const settled = settlement(
      entry,
      parts,
      (settled) => end(() => resolve(answered(settled, entry))),
      (error) => end(() => reject(error)),
    );
    ends.push(
      settled.end,
      call.host.clock.after(settings.answerAfter, later),
      follow(call.signal, (reason) => end(() => reject(reason))),
      () => sender.postponed.delete(postponed),
    );
    if (known) void settled.look();
    sender.postponed.add(postponed);
    const drained = sender.drain(entry.partition, entry.lane);
    call.waitUntil(drained);
    // Offline, paused, behind others that wait: nothing more can be done now; unless it was done before we could see.
    void drained.then(() => (over ? undefined : settled.look())).then(later);
  });
}

/** Sends a write first and keeps it only if it fails in a way for which the application says `queue`. */
async function enqueueFailed(
  next: Handler,
  request: Request,
  call: Call,
  parts: Parts,
  settings: OutboxSettings,
): Promise<Response> {
  const { idempotencyHeader: name, maxEntryBytes } = settings;
  const { host } = call;
  const body = await bodyOf(request, call, maxEntryBytes);
  if (body === null) return next(request, call);
  // The same key goes with both: what failed may have arrived.
  const keyed = withKey(request, name, () => newKey(host.random));
  const queue = (): Promise<Response> => {
    const again = body === undefined ? keyed : withBody(keyed, body);
    return enqueue(again, call, {}, parts, settings, host.clock.now() + firstBackoff(host));
  };
  let response: Response;
  try {
    response = await next(keyed, { ...call, keyIsOurs: keyed !== request });
  } catch (error) {
    if (call.strategy?.(error) !== 'queue') throw error;
    return queue().catch((cause) => {
      throw isUnaccepted(cause) ? error : cause;
    });
  }
  if (call.strategy?.(response) !== 'queue') return response;
  try {
    const answer = await queue();
    dropBody(response);
    return answer;
  } catch (cause) {
    if (isUnaccepted(cause)) return response;
    dropBody(response);
    throw cause;
  }
}

/** The write could not be kept; then what went wrong before stands. */
const isUnaccepted = (error: unknown): boolean =>
  isFailure(error) && ['storage', 'capacity', 'configuration'].includes(error.category);

/** Where the answer of a write that was delivered is not kept, the caller learns at least that it was accepted. */
async function answered(settled: Settled, entry: OutboxEntry): Promise<Response> {
  try {
    return answerOf(settled);
  } catch (error) {
    if (error instanceof ResultLostError) return queued(entry);
    throw error;
  }
}

/** @throws {ClosedError} when the pipeline closes first. */
function awaited(entry: OutboxEntry, parts: Parts): Promise<Settled> {
  return new Promise((resolve, reject) => {
    const fail = (error: unknown): void => {
      settled.end();
      unfollow();
      reject(error);
    };
    const settled = settlement(
      entry,
      parts,
      (value) => {
        unfollow();
        resolve(value);
      },
      fail,
    );
    const unfollow = follow(parts.home.signal, () => fail(new ClosedError()));
    void settled.look();
  });
}

/**
 * Waits for what becomes of an entry, here or in another page.
 *
 * @returns `end` ends the waiting; `look` reads whether it has happened already.
 */
function settlement(
  entry: OutboxEntry,
  { queue, answers }: Parts,
  resolve: (settled: Settled) => void,
  reject: (error: unknown) => void,
): { end: () => void; look: () => Promise<void> } {
  const read = async (): Promise<void> => {
    const stored = await queue.result(entry);
    // Gone without an answer: removed.
    if (!stored && (await queue.get(entry.key))) return;
    end();
    if (stored) resolve(stored);
    else reject(new UndeliveredError('outbox-removed', entry.id, { code: 'removed' }));
  };
  const look = (): Promise<void> => read().catch(reject);
  const end = answers.wait(entry.key, (settled) => {
    if (!settled) return void look();
    end();
    resolve(settled);
  });
  return { end, look };
}
