import type { Call } from '../../core/contract.ts';
import { StorageError } from '../../core/errors.ts';
import { chance, newKey } from '../../http/idempotency.ts';
import { DeadlineError, withDeadline } from '../../primitives/clock.ts';
import { ConfigurationError, isFailure } from '../../primitives/failure.ts';
import type { QueuePosition } from '../../primitives/keyed-queue.ts';
import type { OutboxContext } from './context.ts';
import { type CallOutboxSettings, HOOK_TIMEOUT, type Merge, type OutboxSettings } from './options.ts';
import { deserializeRequest, type OutboxEntry } from './queue/entry.ts';
import {
  type Accepted,
  type EntryDraft,
  prepareInsert,
  readUnsent,
  type UnsentEntry,
} from './queue/insert.ts';
import { bodyOf, fingerprint, type SerializedRequest, serializeRequest } from './queue/serialize.ts';
import { isTimeout } from './store-handle.ts';

/** How often a merge starts again because other writes came in between. */
const MERGES = 20;

/** How long a write waits for earlier writes of its lane that are still being read, in ms: a body may never end. */
const PREDECESSOR_TIMEOUT = 10_000;

/**
 * Commits a write. It is accepted once it is committed; from then on it is kept, also if the caller aborts.
 *
 * @throws {StorageError} if the store did not accept it; code `storage-unknown` if only the store knows.
 */
export async function accept(
  request: Request,
  call: Call,
  wanted: CallOutboxSettings,
  context: OutboxContext,
): Promise<Accepted> {
  const { queue, settings, turns } = context;
  const { lane = call.origin, coalesce } = wanted;
  const { partition } = call;
  // A lane keeps the order of the calls, and some bodies take longer to read than others.
  const turn = turns.take(`${encodeURIComponent(partition)} ${lane}`);
  try {
    for (let tries = 0; tries < MERGES; tries++) {
      const unsent =
        coalesce && (await reading(readUnsent(queue, partition, lane, coalesce.key), call, context));
      const { entry } = unsent ?? {};
      const merge = coalesce?.merge;
      const whole =
        entry && typeof merge === 'function' ? await merged(request, entry, merge, call, context) : request;
      const content = await serializeRequest(whole, settings, call);
      const later = await createDraft(whole, call, { ...wanted, lane }, content, settings);
      const draft =
        entry && whole !== request
          ? {
              ...later,
              // A merged write has the delivery options of both.
              ...mergeDeliveryOptions(entry, later, settings),
              ...(wanted.id !== undefined && { fingerprint: await fingerprintOf(request, call, settings) }),
            }
          : later;
      const accepted = await committed(draft, content, call, unsent, turn, context);
      if (accepted) return accepted;
    }
  } finally {
    turn.end();
  }
  throw new StorageError(
    `could not coalesce '${coalesce?.key}' after ${MERGES} attempts (concurrent writes)`,
    {
      origin: call.origin,
    },
  );
}

async function committed(
  draft: EntryDraft,
  { body, omittedHeaders: names }: SerializedRequest,
  call: Call,
  unsent: UnsentEntry | undefined,
  turn: QueuePosition,
  context: OutboxContext,
): Promise<Accepted | undefined> {
  const { queue, settings, scheduler } = context;
  const { signal, host } = call;
  const commit = await prepareInsert(queue, settings, draft, body, chance(host.random), unsent);
  if (turn.before) await withDeadline(PREDECESSOR_TIMEOUT, call, turn.before).catch(() => {});
  signal.throwIfAborted();
  let isAsked = false;
  const committing = commit(() => {
    // A rejected caller may repeat the write: it must not be committed later.
    signal.throwIfAborted();
    isAsked = true;
  });
  turn.end();
  try {
    const accepted = await withDeadline(Number.POSITIVE_INFINITY, call, committing);
    if (accepted && !accepted.known && names.length) {
      const { id, origin, lane } = accepted.entry;
      call.emit?.({ type: 'headers-dropped', id, origin, lane, names });
    }
    return accepted;
  } catch (cause) {
    // It may be committed after its caller has aborted.
    committing.then(
      (accepted) => accepted && void scheduler.drain(accepted.entry.partition, accepted.entry.lane),
      () => {},
    );
    throw rejection(cause, call, context, isAsked);
  }
}

/** The fingerprint of the write before the merge: the application may repeat it as it was. */
async function fingerprintOf(
  request: Request,
  call: Call,
  { maxEntryBytes }: OutboxSettings,
): Promise<string> {
  return fingerprint(request, (await bodyOf(request, call, maxEntryBytes)) ?? undefined);
}

/** One request for the queued write and the new one. */
async function merged(
  later: Request,
  entry: OutboxEntry,
  merge: Merge,
  call: Call,
  context: OutboxContext,
): Promise<Request> {
  const earlier = deserializeRequest(entry, await reading(context.queue.body(entry), call, context));
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
const reading = <T>(work: Promise<T>, call: Call, context: OutboxContext): Promise<T> =>
  withDeadline(Number.POSITIVE_INFINITY, call, work).catch((cause) => {
    throw rejection(cause, call, context, false);
  });

/** Our own stores report reliably that nothing was stored; a store of the application that has seen the write may not. */
function rejection(
  cause: unknown,
  { signal, origin }: Call,
  { settings }: OutboxContext,
  isAsked: boolean,
): unknown {
  if (signal.aborted || (isFailure(cause) && !isTimeout(cause))) return cause;
  const what = isAsked ? 'timed out; the write may or may not have been stored' : 'did not accept the write';
  return new StorageError(`${settings.store.name} ${what}: ${cause}`, {
    code: isAsked ? 'storage-unknown' : 'storage',
    origin,
    cause,
  });
}

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
