import type { Call } from '../../core/contract.ts';
import { StorageError } from '../../core/errors.ts';
import { chance } from '../../http/idempotency.ts';
import { DeadlineError, withDeadline } from '../../primitives/clock.ts';
import { ConfigurationError, isFailure } from '../../primitives/failure.ts';
import { createDraft, mergeDeliveryOptions } from './draft.ts';
import { deserializeRequest, type OutboxEntry } from './entry.ts';
import { fingerprint } from './fingerprint.ts';
import type { Accepted, EntryDraft, UnsentEntry } from './insert.ts';
import { KeyedQueue, type QueuePosition } from './keyed-queue.ts';
import { type CallOutboxSettings, HOOK_TIMEOUT, type OutboxSettings, STORE_TIMEOUT } from './options.ts';
import type { Queue } from './queue.ts';
import { bodyOf, type SerializedRequest, serializeRequest } from './serialize.ts';

/** How often a merge starts again because other writes came in between. */
const MERGES = 20;

/** How long a write waits for earlier writes of its lane that are still being read, in ms: a body may never end. */
const PREDECESSOR_TIMEOUT = 10_000;

/** Commits writes. A write is accepted once it is committed; from then on it is kept, also if the caller aborts. */
export class Enqueuer {
  readonly #queue: Queue;
  readonly #settings: OutboxSettings;
  /** Called for a write that was committed after its caller had aborted. */
  readonly #onLateCommit: (entry: OutboxEntry) => void;
  readonly #turns = new KeyedQueue();

  constructor(queue: Queue, settings: OutboxSettings, late: (entry: OutboxEntry) => void) {
    this.#queue = queue;
    this.#settings = settings;
    this.#onLateCommit = late;
  }

  async accept(request: Request, call: Call, wanted: CallOutboxSettings): Promise<Accepted> {
    const { lane = call.origin, coalesce } = wanted;
    const key = coalesce?.key;
    // A lane keeps the order of the calls, and some bodies take longer to read than others.
    const turn = this.#turns.take(`${encodeURIComponent(call.partition)} ${lane}`);
    try {
      for (let tries = 0; tries < MERGES; tries++) {
        const unsent = key === undefined ? undefined : await this.#unsent(call, lane, key);
        const whole = await this.#merged(request, unsent, wanted, call);
        const content = await serializeRequest(whole, this.#settings, call);
        const draft = await createDraft(whole, call, { ...wanted, lane }, content, this.#settings);
        const placed = {
          ...draft,
          // A merged write has the delivery options of both.
          ...(whole !== request &&
            unsent?.entry &&
            mergeDeliveryOptions(unsent.entry, draft, this.#settings)),
          ...(whole !== request && (await this.#fingerprintOf(request, wanted, call))),
        };
        const accepted = await this.#committed(placed, content, call, unsent, turn);
        if (accepted) return accepted;
      }
    } finally {
      turn.end();
    }
    throw new StorageError(`could not coalesce '${key}' after ${MERGES} attempts (concurrent writes)`, {
      origin: call.origin,
    });
  }

  async #committed(
    draft: EntryDraft,
    { body, omittedHeaders: dropped }: SerializedRequest,
    call: Call,
    unsent: UnsentEntry | undefined,
    turn: QueuePosition,
  ): Promise<Accepted | undefined> {
    const ready = await this.#queue.inserter.prepare(draft, body, chance(call.host.random), unsent);
    if (turn.before) await withDeadline(PREDECESSOR_TIMEOUT, call, turn.before).catch(() => {});
    call.signal.throwIfAborted();
    let asked = false;
    let refused = false;
    const commit = ready(() => {
      // A rejected caller may repeat the write: it must not be committed later.
      if (refused) throw new StorageError('the write was rejected');
      asked = true;
    });
    turn.end();
    try {
      const accepted = await withTimeout(call, commit).catch((cause) => {
        // The commit has begun; only waiting shows whether it succeeds.
        if (asked && cause instanceof DeadlineError) return withTimeout(call, commit);
        throw cause;
      });
      if (accepted && !accepted.known && dropped.length) {
        const { id, origin, lane } = accepted.entry;
        call.emit?.({ type: 'headers-dropped', id, origin, lane, names: dropped });
      }
      return accepted;
    } catch (cause) {
      refused = true;
      if (call.signal.aborted)
        commit.then((accepted) => accepted && this.#onLateCommit(accepted.entry)).catch(() => {});
      else commit.catch(() => {});
      throw this.#rejection(cause, call, asked);
    }
  }

  /** The unsent entry that the write is merged into. */
  #unsent(call: Call, lane: string, key: string): Promise<UnsentEntry> {
    return this.#read(call, this.#queue.inserter.unsent(call.partition, lane, key));
  }

  /** The fingerprint of the write before the merge: the application may repeat it as it was. */
  async #fingerprintOf(
    request: Request,
    { id }: CallOutboxSettings,
    call: Call,
  ): Promise<Pick<EntryDraft, 'fingerprint'> | undefined> {
    if (id === undefined) return undefined;
    const body = await bodyOf(request, call, this.#settings.maxEntryBytes);
    return { fingerprint: await fingerprint(request, body ?? undefined) };
  }

  /** One request for the queued write and the new one. */
  async #merged(
    later: Request,
    unsent: UnsentEntry | undefined,
    { coalesce }: CallOutboxSettings,
    call: Call,
  ): Promise<Request> {
    const entry = unsent?.entry;
    const merge = coalesce?.merge;
    if (!entry || typeof merge !== 'function') return later;
    const earlier = deserializeRequest(entry, await this.#read(call, this.#queue.body(entry)));
    const both = await withDeadline(HOOK_TIMEOUT, call, merge(earlier, later.clone())).catch((error) => {
      if (!(error instanceof DeadlineError)) throw error;
    });
    if (both instanceof Request) return both;
    throw new ConfigurationError(
      'outbox.coalesce.merge',
      both,
      'expected a function that returns a Request within 30 s',
    );
  }

  /** Reads before the commit. @throws {StorageError} if the store fails: nothing was accepted. */
  async #read<T>(call: Call, work: Promise<T>): Promise<T> {
    try {
      return await withTimeout(call, work);
    } catch (cause) {
      throw this.#rejection(cause, call, false);
    }
  }

  /** Our own stores report reliably that nothing was stored; a store of the application that has seen the write may not. */
  #rejection(cause: unknown, { signal, origin }: Call, asked: boolean): unknown {
    if (signal.aborted || isFailure(cause)) return cause;
    const what = asked ? 'timed out; the write may or may not have been stored' : 'did not accept the write';
    return new StorageError(`${this.#settings.store.name} ${what}: ${cause}`, {
      code: asked ? 'storage-unknown' : 'storage',
      origin,
      cause,
    });
  }
}

const withTimeout = <T>(call: Call, work: Promise<T>): Promise<T> => withDeadline(STORE_TIMEOUT, call, work);
