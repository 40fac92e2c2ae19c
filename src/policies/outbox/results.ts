import { createResponse } from '../../core/body/response.ts';
import { watchBody } from '../../core/body/watched-response.ts';
import { SOURCE_HEADER } from '../../core/outcome.ts';
import { follow } from '../../primitives/abort.ts';
import { withDeadline } from '../../primitives/clock.ts';
import { HoldfastError } from '../../primitives/failure.ts';
import type { OutboxContext } from './context.ts';
import type { OutboxEntry, Reason, ResultWithBody } from './queue/entry.ts';

/** A write will not be delivered by itself; it is kept as a dead letter, with the reason, or was removed. */
export class UndeliveredError extends HoldfastError {
  override name = 'UndeliveredError';
  /** The entry's id. */
  declare readonly id: string;
  declare readonly reason: Reason;

  constructor(code: 'dead-lettered' | 'outbox-removed' | 'outbox-unknown', id: string, reason: Reason) {
    super(`outbox entry ${id}: ${code} (${reason.code})`, { code, category: 'unknown' });
    Object.assign(this, { id, reason });
  }
}

/** The write was delivered, and its response is not available: `resultTtl: false`, or the body could not be stored. */
export class ResultLostError extends HoldfastError {
  override name = 'ResultLostError';
  declare readonly id: string;

  constructor(id: string, why: string) {
    super(`outbox entry ${id} has finished, but ${why}`, { code: 'result-lost', category: 'storage' });
    Object.assign(this, { id });
  }
}

/** The error for a write that was delivered when the disk was full. */
export const resultLost = (id: string): ResultLostError =>
  new ResultLostError(id, 'there was no room for its response');

/**
 * The origin's response, or the error that says why there will be none.
 *
 * @returns a response; if its body could not be stored, reading it fails with a `ResultLostError`.
 * @throws {UndeliveredError} if the origin never responded.
 * @throws {ResultLostError} if it did, and responses are not stored.
 */
export function toResponse({ result, body }: ResultWithBody): Response {
  const { response, id, bodyLost, reason = { code: 'unknown' } } = result;
  if (!response) {
    if (result.delivered) throw new ResultLostError(id, 'its response was not stored');
    throw new UndeliveredError(reason.code === 'removed' ? 'outbox-removed' : 'dead-lettered', id, reason);
  }
  const headers = response.headers as [string, string][];
  if (!bodyLost) return createResponse(body ?? null, response, headers);
  const lost = new ResultLostError(id, `the body of its response was ${bodyLost}`);
  const broken = new ReadableStream({ pull: (controller) => controller.error(lost) });
  const unread = createResponse(broken, response, headers);
  // Watched, because some engines replace the error. Not broken through the watcher: Deno's server would take the body for read.
  watchBody(unread, {});
  return unread;
}

/** The 202 response to a queued write. */
export function queuedResponse({ id, request }: OutboxEntry): Response {
  return createResponse(
    JSON.stringify({ queued: true, id }),
    { status: 202, statusText: 'Accepted', url: request.url, type: 'default', redirected: false },
    {
      'content-type': 'application/json',
      [SOURCE_HEADER]: 'outbox',
      'holdfast-outbox-id': encodeURIComponent(id),
    },
  );
}

/**
 * Waits for the result of an entry, from this page or another one.
 *
 * @returns `end` ends the wait; `look` reads whether the result is there already; `isGone`: the entry is not stored any more, and the
 *   origin may still accept it.
 */
export function waitForResult(
  entry: OutboxEntry,
  { queue, events, attempts }: OutboxContext,
  resolve: (result: ResultWithBody) => void,
  reject: (error: unknown) => void,
): { end: () => void; look: () => Promise<void>; isGone: () => boolean } {
  let isGone = false;
  const read = async (wasRemoved: boolean): Promise<void> => {
    isGone = false;
    const found = await queue.get(entry.key);
    if (found?.state === 'waiting') return;
    const stored = await queue.result(entry.key, entry.partition);
    // The database was deleted while this page sends the entry: the origin may still accept it.
    const attempt = found || stored || wasRemoved ? undefined : attempts.get(entry.key);
    isGone = attempt !== undefined;
    if (attempt) return attempt.then(() => look());
    end();
    if (stored) resolve(stored);
    // A dead letter is kept longer than its result, and may have none if the disk was full.
    else if (found?.reason) reject(new UndeliveredError('dead-lettered', entry.id, found.reason));
    else if (await queue.owner(entry.partition, entry.id)) reject(resultLost(entry.id));
    else reject(new UndeliveredError('outbox-removed', entry.id, { code: 'removed' }));
  };
  const look = (wasRemoved = false): Promise<void> => read(wasRemoved).catch(reject);
  const end = events.watchEntry(entry.key, ({ event, result }) => {
    if (event && event.type !== 'finished') return;
    // Another tab has the result, and the store has it.
    if (!result) return void look(event?.outcome === 'removed');
    end();
    resolve(result);
  });
  return { end, look, isGone: () => isGone };
}

/** @throws {ClosedError} when the pipeline closes first; the reason of `signal` when it aborts. */
export async function awaitResult(
  entry: OutboxEntry,
  context: OutboxContext,
  signal: AbortSignal | undefined,
): Promise<ResultWithBody> {
  let end = (): void => {};
  const result = new Promise<ResultWithBody>((resolve, reject) => {
    const wait = waitForResult(entry, context, resolve, reject);
    const unfollow = signal && follow(signal, reject);
    end = () => {
      wait.end();
      unfollow?.();
    };
    void wait.look();
  });
  return withDeadline(Infinity, context.pipeline, result).finally(end);
}
