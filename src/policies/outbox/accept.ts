import type { Call } from '../../core/contract.ts';
import { StorageError } from '../../core/errors.ts';
import { chance, newKey } from '../../http/idempotency.ts';
import { DeadlineError, withDeadline } from '../../primitives/clock.ts';
import { isFailure } from '../../primitives/failure.ts';
import type { QueuePosition } from '../../primitives/locks.ts';
import { expected } from '../../primitives/validate.ts';
import type { OutboxContext } from './context.ts';
import { type CallOutboxSettings, HOOK_TIMEOUT, type Merge, type OutboxSettings } from './options.ts';
import type { OutboxEntry } from './queue/entry.ts';
import {
  type Accepted,
  type EntryDraft,
  prepareInsert,
  readUnsent,
  type UnsentEntry,
} from './queue/insert.ts';
import {
  bodyOf,
  deserializeRequest,
  fingerprint,
  type SerializedRequest,
  serializeRequest,
} from './queue/serialize.ts';
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
  const { id, lane = call.origin, coalesce } = wanted;
  const { partition, origin } = call;
  // A lane keeps the order of the calls, and some bodies take longer to read than others.
  const turn = turns.take(`${encodeURIComponent(partition)} ${lane}`);
  try {
    for (let tries = 0; tries < MERGES; tries++) {
      const unsent =
        coalesce && (await reading(readUnsent(queue, partition, lane, coalesce.key), call, context));
      const merged = unsent?.entry && typeof coalesce?.merge === 'function' ? unsent.entry : undefined;
      const whole = merged
        ? await mergeRequests(merged, request, coalesce?.merge as Merge, call, context)
        : request;
      const content = await serializeRequest(whole, settings, call);
      const draft = createDraft(call, { ...wanted, lane }, content, settings, merged);
      // Of the write before the merge: the application may repeat it as it was.
      const body = merged ? await bodyOf(request, call, settings.maxEntryBytes) : content.body;
      const print = id === undefined ? {} : { fingerprint: await fingerprint(request, body ?? undefined) };
      const accepted = await commit({ ...draft, ...print }, content, call, unsent, turn, context);
      if (accepted) return accepted;
    }
  } finally {
    turn.end();
  }
  const error = `could not coalesce '${coalesce?.key}' after ${MERGES} attempts (concurrent writes)`;
  throw new StorageError(error, { origin });
}

/** @returns `undefined` if another write came in between: the merge starts again. */
async function commit(
  draft: EntryDraft,
  { body, omittedHeaders: names }: SerializedRequest,
  call: Call,
  unsent: UnsentEntry | undefined,
  turn: QueuePosition,
  context: OutboxContext,
): Promise<Accepted | undefined> {
  const { queue, settings, scheduler } = context;
  const { signal, host } = call;
  const insert = await prepareInsert(queue, settings, draft, body, chance(host.random), unsent);
  if (turn.before) await withDeadline(PREDECESSOR_TIMEOUT, call, turn.before).catch(() => {});
  signal.throwIfAborted();
  let isAsked = false;
  const inserting = insert(() => {
    // A rejected caller may repeat the write: it must not be committed later.
    signal.throwIfAborted();
    isAsked = true;
  });
  turn.end();
  try {
    const accepted = await withDeadline(Infinity, call, inserting);
    if (accepted && !accepted.known && names.length) {
      const { id, origin, lane } = accepted.entry;
      call.emit?.({ type: 'headers-dropped', id, origin, lane, names });
    }
    return accepted;
  } catch (cause) {
    // It may be committed after its caller has aborted.
    inserting.then(
      (accepted) => accepted && void scheduler.drain(accepted.entry.partition, accepted.entry.lane),
      () => {},
    );
    throw rejection(cause, call, context, isAsked);
  }
}

/** One request for the queued write and the new one. */
async function mergeRequests(
  entry: OutboxEntry,
  later: Request,
  merge: Merge,
  call: Call,
  context: OutboxContext,
): Promise<Request> {
  const earlier = deserializeRequest(entry, await reading(context.queue.body(entry), call, context));
  const both = await withDeadline(HOOK_TIMEOUT, call, merge(earlier, later.clone())).catch((error) => {
    if (!(error instanceof DeadlineError)) throw error;
  });
  return expected(
    'a function that returns a Request within 30 s',
    both instanceof Request,
    both as Request,
    'outbox.coalesce.merge',
  );
}

/** Reads before the commit. @throws {StorageError} if the store fails: nothing was accepted. */
const reading = <T>(work: Promise<T>, call: Call, context: OutboxContext): Promise<T> =>
  withDeadline(Infinity, call, work).catch((cause) => {
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

/** The entry to insert: the write with the options of its call. @param merged The queued write that goes out with it. */
function createDraft(
  { partition, host, options }: Call,
  { id, lane, meta, coalesce, ...own }: CallOutboxSettings & { readonly lane: string },
  { request, size, origin, key }: SerializedRequest,
  settings: OutboxSettings,
  merged: OutboxEntry | undefined,
): EntryDraft {
  const now = host.clock.now();
  const { outbox: _, retry: __, ...rest } = options;
  const { expiresAfter = settings.expiresAfter, blockLaneOnFailure = settings.blockLaneOnFailure } = own;
  // The stricter options of two writes that go out as one.
  const isOnce = [own, ...(merged ? [merged] : [])].some(
    ({ delivery = settings.delivery }) => delivery === 'at-most-once',
  );
  const delivery = merged && isOnce ? 'at-most-once' : own.delivery;
  return {
    id,
    idempotencyKey: key ?? newKey(host.random),
    partition,
    lane,
    origin,
    state: 'waiting',
    acceptedAt: now,
    expiresAt: now + expiresAfter,
    ...(own.expiresAfter !== undefined && { ttl: own.expiresAfter }),
    notBefore: 0,
    attempts: 0,
    request,
    size,
    options: plain(rest),
    ...(meta !== undefined && { meta: settings.encryption ? asJSON(meta) : meta }),
    ...(coalesce && { coalesceKey: coalesce.key }),
    ...((blockLaneOnFailure || merged?.blockLaneOnFailure) && { blockLaneOnFailure: true }),
    ...(delivery && { delivery }),
    ...(settings.encryption && { cipherContext: chance(host.random) }),
  };
}

/** The part of the options that can be stored: functions and signals are left out. */
const plain = (options: Record<string, unknown>): Record<string, unknown> =>
  // JSON has no infinity; as a limit, `false` means the same.
  JSON.parse(JSON.stringify(options, (_, value) => (value === Infinity ? false : value)));

/** Rejects data that JSON would change. */
const asJSON = (meta: unknown): unknown =>
  expected('JSON, which can be encrypted', isJSON(meta), meta, 'outbox.meta');

function isJSON(value: unknown, above: readonly unknown[] = []): boolean {
  if (value === null || ['string', 'boolean', 'undefined'].includes(typeof value)) return true;
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object' || above.includes(value)) return false;
  const isPlain = Array.isArray(value) || [Object.prototype, null].includes(Object.getPrototypeOf(value));
  return isPlain && Object.values(value).every((each) => isJSON(each, [...above, value]));
}
