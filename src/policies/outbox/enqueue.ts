import type { Call } from '../../core/contract.ts';
import { follow } from '../../primitives/abort.ts';
import { withDeadline } from '../../primitives/clock.ts';
import { accept } from './accept.ts';
import type { OutboxContext } from './context.ts';
import type { CallOutboxSettings } from './options.ts';
import type { OutboxEntry, ResultWithBody } from './queue/entry.ts';
import { queuedResponse, ResultLostError, resultLost, toResponse, UndeliveredError } from './results.ts';

/** Enqueues a write, and responds with its result, or with 202 if that takes too long. */
export async function enqueue(
  request: Request,
  call: Call,
  wanted: CallOutboxSettings,
  context: OutboxContext,
): Promise<Response> {
  const { scheduler, events, settings, gate } = context;
  const { clock } = call.host;
  // The commit is part of the caller's wait.
  const respondAt = clock.ticks() + settings.respondAfter;
  // A running lane may deliver the entry before this page learns of the commit.
  const ended = new Set<string | undefined>();
  const unwatch = events.watch(({ event, key }) => event.type === 'settled' && ended.add(key));
  const { entry, known } = await accept(request, call, wanted, context).finally(unwatch);
  const { partition, lane, key } = entry;
  const mayHaveEnded = known || ended.has(key);
  events.emit(entry, { type: 'queued', callId: call.id });
  const drained = scheduler.drain(partition, lane);
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
      follow(call.signal, reject),
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

/** If the response to a delivered write is not stored, the caller still gets the 202. */
function resultResponse(settled: ResultWithBody, entry: OutboxEntry): Response {
  try {
    return toResponse(settled);
  } catch (error) {
    if (error instanceof ResultLostError) return queuedResponse(entry);
    throw error;
  }
}

/**
 * Waits for the result of an entry, from this page or another one.
 *
 * @returns `end` ends the wait; `look` reads whether the result is there already; `isGone`: the entry is not stored any more, and the
 *   origin may still accept it.
 */
function waitForResult(
  entry: OutboxEntry,
  { queue, events, attempts }: OutboxContext,
  resolve: (settled: ResultWithBody) => void,
  reject: (error: unknown) => void,
): { end: () => void; look: () => Promise<void>; isGone: () => boolean } {
  let isGone = false;
  const read = async (wasRemoved: boolean): Promise<void> => {
    isGone = false;
    const stored = await queue.result(entry.key, entry.partition);
    // Deleted without a result: removed.
    if (!stored && (await queue.get(entry.key))) return;
    // The database was deleted while this page sends the entry: the origin may still accept it.
    const attempt = stored || wasRemoved ? undefined : attempts.get(entry.key);
    isGone = attempt !== undefined;
    if (attempt) return attempt.then(() => look());
    end();
    if (stored) resolve(stored);
    else if (await queue.owner(entry.partition, entry.id)) reject(resultLost(entry.id));
    else reject(new UndeliveredError('outbox-removed', entry.id, { code: 'removed' }));
  };
  const look = (wasRemoved = false): Promise<void> => read(wasRemoved).catch(reject);
  const end = events.watchEntry(entry.key, ({ event, result }) => {
    if (event && event.type !== 'settled') return;
    // Another tab has the result, and the store has it.
    if (!result) return void look(event?.outcome === 'removed');
    end();
    resolve(result);
  });
  return { end, look, isGone: () => isGone };
}

/** @throws {ClosedError} when the pipeline closes first. */
export async function awaitResult(entry: OutboxEntry, context: OutboxContext): Promise<ResultWithBody> {
  let end = (): void => {};
  const result = new Promise<ResultWithBody>((resolve, reject) => {
    const wait = waitForResult(entry, context, resolve, reject);
    end = wait.end;
    void wait.look();
  });
  return withDeadline(Infinity, context.pipeline, result).finally(end);
}
