import { follow } from '../../core/abort.ts';
import { memoized } from '../../core/check.ts';
import { within } from '../../core/clock.ts';
import { type Call, type Handler, type Home, named, type Policy } from '../../core/contract.ts';
import { CapacityError, ConfigurationError, StorageError } from '../../core/errors.ts';
import { matches } from '../../core/match.ts';
import { hasBody, keepable } from '../../core/replay.ts';
import type { AtomicStore } from '../../core/store.ts';
import { Answers, answerOf, queued, type Settled, UndeliveredError } from './answers.ts';
import { type OutboxEntry, sortHeaders, storedRequest } from './entry.ts';
import {
  type CallOutbox,
  type OutboxOptions,
  type OutboxSettings,
  readCallOutbox,
  readOutboxOptions,
} from './options.ts';
import { type Accepted, type EntriesQuery, Queue } from './queue.ts';
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
  /** Tries all that waits now. Settles when nothing more can be sent. */
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

/** Methods that change nothing have nothing to be kept for. */
const READS = ['GET', 'HEAD', 'OPTIONS', 'TRACE'];

/** A write waits so long for the store to commit it, in ms; some browsers never answer an open. */
const STORE_PATIENCE = 10_000;

const CREDENTIALS = ['authorization', 'proxy-authorization', 'cookie'];

/**
 * Keeps a write until it is delivered. The entry is committed with strict durability before it is sent, and it is
 * removed only after its answer has been classified; the same `Idempotency-Key` goes with every sending.
 *
 * @throws {StorageError} from a call whose write could not be committed: it was not accepted.
 * @throws {CapacityError} from a call when the outbox is full, or the body too large.
 */
export function outboxPolicy(options: OutboxOptions, defaultStore: () => AtomicStore): Outbox {
  const settings = readOutboxOptions(options, options.store ?? defaultStore());
  const callOptions = memoized(readCallOutbox);
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
      const wanted = wantedFor(request, call, settings);
      return wanted === undefined
        ? next(request, call)
        : enqueue(request, call, callOptions(wanted), assembled, settings);
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
      if (entry?.state === 'waiting') {
        const settled = new Promise<Settled>((resolve, reject) =>
          settlement(entry, composed(), true, resolve, reject),
        );
        return answerOf(await settled);
      }
      const stored = await queue.resultOf(home.partition(), id);
      if (stored) return answerOf(stored);
      throw new UndeliveredError('outbox-unknown', id, { code: 'unknown' });
    },
    entries: async (query: EntriesQuery = {}) => composed().queue.list(composed().home.partition(), query),
    counts: async () => composed().queue.counts(),
    async replay(id: string) {
      const entry = await find(id);
      if (entry?.state !== 'dead') return false;
      const { queue, sender, home } = composed();
      const now = home.host.clock.now();
      const fresh = { attempts: 0, notBefore: 0, expiresAt: now + settings.expiresAfter };
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
    flush: async () => composed().sender.wake(true),
    async resume() {
      const { sender, home } = composed();
      sender.resume(home.partition());
      await sender.wake(true);
    },
  });
}

function assemble(next: Handler, home: Home, settings: OutboxSettings): Parts {
  const { store } = settings;
  const queue = new Queue(home.name, settings);
  const answers = new Answers(home, store.durable);
  const sender = new Sender(next, home, queue, answers, settings);
  // Where I/O belongs to a request there is nothing to do between requests, and timers are refused.
  if (store.durable && home.host.sharesIO)
    whenever(home, settings.every, (eager) => {
      sender.wake(eager).catch((error) => onTrouble(home, store, 'wake', error));
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

/** What the call says of the outbox, if the write is to be kept. */
function wantedFor(request: Request, { options }: Call, { match }: OutboxSettings): unknown {
  const isRead = READS.includes(request.method);
  const said = options.outbox;
  if (said !== undefined) {
    if (isRead)
      throw new ConfigurationError('outbox', said, `it keeps writes, and this is a ${request.method}`);
    return said;
  }
  return match !== undefined && !isRead && matches(match, request.url) ? true : undefined;
}

/** Accepts a write, and answers as soon as it is known what to answer. */
async function enqueue(
  request: Request,
  call: Call,
  wanted: CallOutbox,
  parts: Parts,
  settings: OutboxSettings,
): Promise<Response> {
  const { sender } = parts;
  const { entry, known } = await accepted(request, call, wanted, parts, settings);
  const { id, origin, lane } = entry;
  call.emit?.({ type: 'queued', id, origin, lane, callId: call.id });
  return new Promise((resolve, reject) => {
    const ends: (() => void)[] = [];
    const end = (settle: () => void): void => {
      for (const each of ends) each();
      settle();
    };
    const later = (): void => end(() => resolve(queued(entry)));
    const postponed = (key: string): void => void (key === entry.key && later());
    // Gone in the very moment of the commit: the entry stays.
    if (call.signal.aborted) return reject(call.signal.reason);
    ends.push(
      settlement(
        entry,
        parts,
        known,
        (settled) => end(() => resolve(new Promise((give) => give(answerOf(settled))))),
        (error) => end(() => reject(error)),
      ),
      call.host.clock.after(settings.answerAfter, later),
      follow(call.signal, (reason) => end(() => reject(reason))),
      () => sender.postponed.delete(postponed),
    );
    sender.postponed.add(postponed);
    const drained = sender.drain(entry.partition, entry.lane);
    call.waitUntil(drained);
    // Offline, paused, behind others that wait: nothing more can be done now.
    drained.then(later);
  });
}

async function accepted(
  request: Request,
  call: Call,
  wanted: CallOutbox,
  { queue, home }: Parts,
  settings: OutboxSettings,
): Promise<Accepted> {
  const { idempotencyHeader, keepHeaders, authorize, maxEntryBytes, expiresAfter, store } = settings;
  const { origin, partition, host } = call;
  const key = idempotencyHeader && request.headers.get(idempotencyHeader);
  const { kept, dropped } = sortHeaders(
    request.headers,
    idempotencyHeader ? [...keepHeaders, idempotencyHeader.toLowerCase()] : keepHeaders,
  );
  const lost = authorize ? [] : dropped.filter((name) => CREDENTIALS.includes(name));
  if (lost.length)
    throw new ConfigurationError(
      'outbox.authorize',
      undefined,
      `'${lost}' is not written to disk, so a hook has to put it back`,
    );
  const body = hasBody(request) ? await keepable(request, maxEntryBytes) : undefined;
  if (body === null)
    throw new CapacityError('too-large', `the body is larger than ${maxEntryBytes} bytes`, { origin });
  // Until here nothing is accepted; from the commit on the write is kept whatever the caller does.
  call.signal.throwIfAborted();
  const now = host.clock.now();
  const { outbox: _, retry: __, ...options } = call.options;
  const entry = {
    id: wanted.id,
    idempotencyKey: key || `"${chance(host.random)}${chance(host.random)}"`,
    partition,
    lane: wanted.lane ?? origin,
    origin,
    state: 'waiting' as const,
    acceptedAt: now,
    expiresAt: now + expiresAfter,
    notBefore: 0,
    attempts: 0,
    request: storedRequest(request, kept),
    size: typeof body === 'string' ? body.length : body instanceof Blob ? body.size : (body?.byteLength ?? 0),
    options: plain(options),
    ...(wanted.meta !== undefined && { meta: wanted.meta }),
  };
  const commit = queue.accept(entry, body, chance(host.random));
  try {
    const done = await within(STORE_PATIENCE, call, commit);
    if (!done.known && dropped.length && !authorize) {
      const { id, lane } = done.entry;
      home.emit?.({ type: 'headers-dropped', id, origin, lane, names: dropped });
    }
    return done;
  } catch (cause) {
    // Who was told that it was not accepted may give it again: a commit that comes after all must not stand.
    commit.then(({ entry: late, known }) => known || queue.remove(late)).catch(() => {});
    if (call.signal.aborted || cause instanceof CapacityError || cause instanceof StorageError) throw cause;
    throw new StorageError(`${store.name} did not accept the write: ${cause}`, { cause, origin });
  }
}

/**
 * Waits for what becomes of an entry, here or in another page.
 *
 * @param look Whether it may have happened already.
 * @returns ends the waiting.
 */
function settlement(
  entry: OutboxEntry,
  { queue, answers }: Parts,
  look: boolean,
  resolve: (settled: Settled) => void,
  reject: (error: unknown) => void,
): () => void {
  const read = async (): Promise<void> => {
    const stored = await queue.result(entry);
    // Gone without an answer: removed, or nobody wanted answers to be kept.
    if (!stored && (await queue.get(entry.key))) return;
    end();
    if (stored) resolve(stored);
    else reject(new UndeliveredError('outbox-removed', entry.id, { code: 'removed' }));
  };
  const end = answers.wait(entry.key, (settled) => {
    if (!settled) return void read().catch(reject);
    end();
    resolve(settled);
  });
  if (look) read().catch(reject);
  return end;
}

/** 52 bits or so of chance, as text. */
const chance = (random: () => number): string => random().toString(36).slice(2, 13);

/** What survives being stored: functions and signals do not, and a queued write may do without them. */
function plain(options: Record<string, unknown>): Record<string, unknown> {
  return JSON.parse(JSON.stringify(options));
}
