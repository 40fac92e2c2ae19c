import type { Call } from '../../core/contract.ts';
import { StorageError } from '../../core/errors.ts';
import { chance } from '../../http/idempotency.ts';
import { follow } from '../../primitives/abort.ts';
import { DeadlineError, withDeadline } from '../../primitives/clock.ts';
import { isFailure } from '../../primitives/failure.ts';
import { expected } from '../../primitives/validate.ts';
import type { ArrivingWrite, OutboxContext } from './context.ts';
import { type CallOutboxSettings, HOOK_TIMEOUT, type Merge } from './options.ts';
import type { OutboxEntry, ResultWithBody } from './queue/entry.ts';
import {
  type Accepted,
  createDraft,
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
import { queuedResponse, ResultLostError, toResponse, UndeliveredError, waitForResult } from './results.ts';
import { isTimeout } from './store-handle.ts';

/** How often a merge starts again because other writes came in between. */
const MERGES = 20;

/** How long a write waits for earlier writes of its lane that are still being read, in ms: a body may never end. */
const PREDECESSOR_TIMEOUT = 10_000;

/** Enqueues a write, and responds with its result, or with 202 if that takes too long. */
export async function enqueue(
  request: Request,
  call: Call,
  wanted: CallOutboxSettings,
  context: OutboxContext,
): Promise<Response> {
  const { events, settings, gate } = context;
  const { clock } = call.host;
  // The commit is part of the caller's wait.
  const respondAt = clock.ticks() + settings.respondAfter;
  // A running lane may deliver the entry before this page learns of the commit.
  const ended = new Set<string | undefined>();
  const unwatch = events.watch(({ event, key }) => event.type === 'finished' && ended.add(key));
  const { entry, known } = await accept(request, call, wanted, context).finally(unwatch);
  const { partition, key } = entry;
  const mayHaveEnded = known || ended.has(key);
  const drained = begin(entry, call, context);
  call.waitUntil(drained);
  const ends: (() => void)[] = [];
  const wait = new Promise<ResultWithBody | undefined>((resolve, reject) => {
    const later = (): void => {
      if (!result.isGone()) resolve(undefined);
    };
    const result = waitForResult(entry, context, resolve, (error) =>
      // The write was accepted: a store that fails now is no failure of the call.
      error instanceof UndeliveredError ? reject(error) : later(),
    );
    ends.push(
      result.end,
      clock.after(Math.max(0, respondAt - clock.ticks()), later),
      // Also if it was aborted during the commit: the entry stays queued.
      follow(call.signal, (reason) => {
        context.requestSync();
        reject(reason);
      }),
      events.watchEntry(key, ({ event }) => {
        if (event?.type === 'postponed' || event?.type === 'outbox-auth-required') later();
      }),
    );
    if (mayHaveEnded) void result.look();
    // Offline, paused or behind other entries: responds now, unless the entry has ended.
    void drained
      .then((): unknown => ends.length > 0 && (mayHaveEnded || gate.isOpen(partition)) && result.look())
      .then(later);
  });
  const result = await wait.finally(() => {
    for (const end of ends.splice(0)) end();
  });
  if (result) return resultResponse(result, entry);
  context.requestSync();
  return queuedResponse(entry);
}

/** Emits that a write is queued, and sends it. */
function begin(
  entry: OutboxEntry,
  { id: callId }: Call,
  { events, scheduler }: OutboxContext,
): Promise<void> {
  events.emit(entry, { type: 'queued', callId });
  return scheduler.drain(entry.partition, entry.lane);
}

/** If the response to a delivered write is not stored, the caller still gets the 202. */
function resultResponse(result: ResultWithBody, entry: OutboxEntry): Response {
  try {
    return toResponse(result);
  } catch (error) {
    if (error instanceof ResultLostError) return queuedResponse(entry);
    throw error;
  }
}

/**
 * Commits a write. It is accepted once it is committed; from then on it is kept, also if the caller aborts.
 *
 * @throws {StorageError} if the store did not accept it; code `storage-unknown` if only the store knows.
 */
async function accept(
  request: Request,
  call: Call,
  wanted: CallOutboxSettings,
  context: OutboxContext,
): Promise<Accepted> {
  const { queue, settings, turns, arriving } = context;
  const { id, lane = call.origin, coalesce } = wanted;
  const { partition, origin } = call;
  // A lane keeps the order of the calls, and some bodies take longer to read than others.
  const turn = turns.take(`${encodeURIComponent(partition)} ${lane}`);
  const write = { partition, turn, isRemoved: false };
  arriving.add(write);
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
      const accepted = await commit({ ...draft, ...print }, content, call, unsent, write, context);
      if (accepted) return accepted;
    }
  } finally {
    arriving.delete(write);
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
  write: ArrivingWrite,
  context: OutboxContext,
): Promise<Accepted | undefined> {
  const { queue, settings } = context;
  const { signal, host } = call;
  const { turn } = write;
  const insert = await prepareInsert(queue, settings, draft, body, chance(host.random), unsent);
  if (turn.before) await withDeadline(PREDECESSOR_TIMEOUT, call, turn.before).catch(() => {});
  signal.throwIfAborted();
  let isAsked = false;
  const inserting = insert(() => {
    // A rejected caller may repeat the write: it must not be committed later.
    signal.throwIfAborted();
    if (write.isRemoved) throw new UndeliveredError('outbox-removed', draft.id ?? '', { code: 'removed' });
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
      (accepted) => {
        if (!accepted) return;
        void begin(accepted.entry, call, context);
        context.requestSync();
      },
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
