import type { Call } from '../../core/contract.ts';
import { StorageError } from '../../core/errors.ts';
import { chance, newKey } from '../../http/idempotency.ts';
import { DeadlineError, withDeadline } from '../../primitives/clock.ts';
import { ConfigurationError, isFailure } from '../../primitives/failure.ts';
import { KeyedQueue, type QueuePosition } from '../../primitives/keyed-queue.ts';
import { type CallOutboxSettings, HOOK_TIMEOUT, type OutboxSettings, STORE_TIMEOUT } from './options.ts';
import { deserializeRequest, type OutboxEntry } from './queue/entry.ts';
import type { Accepted, EntryDraft, UnsentEntry } from './queue/insert.ts';
import type { Queue } from './queue/queue.ts';
import { bodyOf, fingerprint, type SerializedRequest, serializeRequest } from './queue/serialize.ts';

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

/** The delivery options of one write. */
type DeliveryOptions = Pick<EntryDraft, 'blockLaneOnFailure' | 'delivery'>;

/** The entry to insert: the write with the options of its call. */
async function createDraft(
  request: Request,
  call: Call,
  { id, lane, meta, coalesce, ...own }: CallOutboxSettings & { readonly lane: string },
  { request: stored, size, origin, body, key: given }: SerializedRequest,
  settings: OutboxSettings,
): Promise<EntryDraft> {
  const { partition, host, options } = call;
  const now = host.clock.now();
  const { outbox: _, retry: __, ...rest } = options;
  const {
    expiresAfter = settings.expiresAfter,
    blockLaneOnFailure = settings.blockLaneOnFailure,
    delivery,
  } = own;
  return {
    id,
    idempotencyKey: given ?? newKey(host.random),
    partition,
    lane,
    origin,
    state: 'waiting',
    acceptedAt: now,
    expiresAt: now + expiresAfter,
    ...(own.expiresAfter !== undefined && { ttl: own.expiresAfter }),
    notBefore: 0,
    attempts: 0,
    request: stored,
    size,
    options: plain(rest),
    ...(meta !== undefined && { meta: settings.encryption ? asJSON(meta) : meta }),
    ...(id !== undefined && { fingerprint: await fingerprint(request, body) }),
    ...(coalesce && { coalesceKey: coalesce.key }),
    ...(blockLaneOnFailure && { blockLaneOnFailure }),
    ...(delivery && { delivery }),
    ...(settings.encryption && { cipherContext: chance(host.random) }),
  };
}

/** The stricter options of two writes that go out as one. */
function mergeDeliveryOptions(
  earlier: DeliveryOptions,
  later: DeliveryOptions,
  { delivery: usual }: OutboxSettings,
): Pick<EntryDraft, 'blockLaneOnFailure' | 'delivery'> {
  const isOnce = [earlier, later].some(({ delivery = usual }) => delivery === 'at-most-once');
  return {
    ...((earlier.blockLaneOnFailure || later.blockLaneOnFailure) && { blockLaneOnFailure: true }),
    ...(isOnce && { delivery: 'at-most-once' }),
  };
}

/** The part of the options that can be stored: functions and signals are left out. */
const plain = (options: Record<string, unknown>): Record<string, unknown> =>
  // JSON has no infinity; as a limit, `false` means the same.
  JSON.parse(JSON.stringify(options, (_, value) => (value === Infinity ? false : value)));

/** Rejects data that JSON would change. */
function asJSON(meta: unknown): unknown {
  if (isJSON(meta)) return meta;
  throw new ConfigurationError('outbox.meta', meta, 'expected JSON, which can be encrypted');
}

function isJSON(value: unknown, above: readonly unknown[] = []): boolean {
  if (value === null || ['string', 'boolean', 'undefined'].includes(typeof value)) return true;
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object' || above.includes(value)) return false;
  const isPlain = Array.isArray(value) || [Object.prototype, null].includes(Object.getPrototypeOf(value));
  return isPlain && Object.values(value).every((each) => isJSON(each, [...above, value]));
}
