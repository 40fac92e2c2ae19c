import type { Call } from '../../core/contract.ts';
import { ClosedError } from '../../core/errors.ts';
import { follow } from '../../primitives/abort.ts';
import type { OutboxContext } from './context.ts';
import type { CallOutboxSettings } from './options.ts';
import type { ResultWithBody } from './queue/encryption.ts';
import type { OutboxEntry } from './queue/entry.ts';
import { queuedResponse, ResultLostError, resultLost, toResponse, UndeliveredError } from './results.ts';
import type { EntryRef } from './send/scheduler.ts';

/** Enqueues a write, and responds with its result, or with 202 if that takes too long. */
export async function enqueue(
  request: Request,
  call: Call,
  wanted: CallOutboxSettings,
  context: OutboxContext,
): Promise<Response> {
  const { scheduler, events, settings } = context;
  const { clock } = call.host;
  const respondAt = clock.ticks() + settings.respondAfter;
  const ended = new Set<string>();
  const seen = ({ key }: EntryRef): void => void ended.add(key);
  scheduler.listeners.add(seen);
  const accepting = context.enqueuer.accept(request, call, wanted);
  const { entry, known } = await accepting.finally(() => scheduler.listeners.delete(seen));
  const { id, origin, lane, partition, key } = entry;
  context.requestPersistence();
  events.emit({ type: 'queued', id, origin, lane, callId: call.id }, partition, key);
  return new Promise((resolve, reject) => {
    const ends: (() => void)[] = [];
    let over = false;
    const end = (settle: () => void): void => {
      if (over) return;
      over = true;
      for (const each of ends) each();
      settle();
    };
    const later = (): void =>
      end(() => {
        context.requestSync();
        resolve(queuedResponse(entry));
      });
    const postponed = (which: string): void => void (which === key && later());
    const drain = scheduler.drainFor(partition, lane);
    call.waitUntil(drain.done);
    ends.push(drain.leave);
    // Aborted during the commit: the entry stays queued.
    if (call.signal.aborted) return end(() => reject(call.signal.reason));
    const settled = waitForResult(
      entry,
      context,
      (settled) => end(() => resolve(resultResponse(settled, entry))),
      // The write was accepted: a store that fails now is no failure of the call.
      (error) => (error instanceof UndeliveredError ? end(() => reject(error)) : later()),
    );
    ends.push(
      settled.end,
      // The commit is part of the caller's wait.
      clock.after(Math.max(0, respondAt - clock.ticks()), later),
      follow(call.signal, (reason) => end(() => reject(reason))),
      () => scheduler.postponed.delete(postponed),
    );
    scheduler.postponed.add(postponed);
    if (known || ended.has(key)) void settled.look();
    // Offline, paused or behind other entries: respond now, unless the entry ended before we subscribed.
    const mayHaveEnded = (): boolean =>
      !over && (known || ended.has(key) || scheduler.gate.isOpen(partition));
    void drain.done.then(() => (mayHaveEnded() ? settled.look() : undefined)).then(later);
  });
}

/** If the response to a delivered write is not stored, the caller still gets the 202. */
async function resultResponse(settled: ResultWithBody, entry: OutboxEntry): Promise<Response> {
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
 * @returns `end` ends the wait; `look` reads whether the result is there already.
 */
function waitForResult(
  entry: OutboxEntry,
  { queue, waiters, ask }: OutboxContext,
  resolve: (settled: ResultWithBody) => void,
  reject: (error: unknown) => void,
): { end: () => void; look: () => Promise<void> } {
  const read = async (): Promise<void> => {
    const stored = await ask(() => queue.result(entry.key));
    // Deleted without a result: removed.
    if (!stored && (await ask(() => queue.get(entry.key)))) return;
    end();
    if (stored) resolve(stored);
    else if (await ask(() => queue.hasKnownId(entry))) reject(resultLost(entry.id));
    else reject(new UndeliveredError('outbox-removed', entry.id, { code: 'removed' }));
  };
  const look = (): Promise<void> => read().catch(reject);
  const end = waiters.wait(entry.key, (settled) => {
    if (!settled) return void look();
    end();
    resolve(settled);
  });
  return { end, look };
}

/** @throws {ClosedError} when the pipeline closes first. */
export function awaitResult(entry: OutboxEntry, context: OutboxContext): Promise<ResultWithBody> {
  return new Promise((resolve, reject) => {
    let unfollow = (): void => {};
    const fail = (error: unknown): void => {
      settled.end();
      unfollow();
      reject(error);
    };
    const settled = waitForResult(
      entry,
      context,
      (value) => {
        unfollow();
        resolve(value);
      },
      fail,
    );
    unfollow = follow(context.pipeline.signal, () => fail(new ClosedError()));
    void settled.look();
  });
}
