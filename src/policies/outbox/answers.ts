import { watchBody } from '../../core/body.ts';
import { HoldfastError } from '../../core/errors.ts';
import { createResponse } from '../../core/rebuild.ts';
import { SOURCE_HEADER } from '../../core/source.ts';
import type { OutboxEntry, Reason } from './entry.ts';
import type { Answer } from './packing.ts';

/** What became of an entry, as this page or another one found out. */
export type Settled = Answer;

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

/** The write was delivered, and its answer is not to be had: `resultTtl: false`, or the body could not be kept. */
export class ResultLostError extends HoldfastError {
  override name = 'ResultLostError';
  declare readonly id: string;

  constructor(id: string, why: string) {
    super(`outbox entry ${id} has been settled, but ${why}`, { code: 'result-lost', category: 'storage' });
    Object.assign(this, { id });
  }
}

/** Of a write that was delivered when the disk was full. */
export const lost = (id: string): ResultLostError =>
  new ResultLostError(id, 'there was no room for its answer');

/**
 * The origin's answer, or the error that says why there will be none.
 *
 * @returns a body that could not be kept fails when it is read, with a `ResultLostError`.
 * @throws {UndeliveredError} where the origin never answered.
 * @throws {ResultLostError} where it did, and answers are not kept.
 */
export function answerOf({ result, body }: Settled): Response {
  const { response, id, bodyLost, reason = { code: 'unknown' } } = result;
  if (!response) {
    if (result.delivered) throw new ResultLostError(id, 'its answer was not kept');
    throw new UndeliveredError(reason.code === 'removed' ? 'outbox-removed' : 'dead-lettered', id, reason);
  }
  const headers = response.headers as [string, string][];
  if (!bodyLost) return createResponse(body ?? null, response, headers);
  const lost = new ResultLostError(id, `the body of its answer was ${bodyLost}`);
  const broken = new ReadableStream({ pull: (controller) => controller.error(lost) });
  const unread = createResponse(broken, response, headers);
  // Read through us: some engines make an error of their own of it. Not broken by us: Deno's server would take it for one that
  // has been read, and end.
  watchBody(unread, {});
  return unread;
}

/** The answer to a write that waits. */
export function queued({ id, request }: OutboxEntry): Response {
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

type Listener = (settled: Settled | undefined) => void;

/** Those who wait for answers in this page. */
export class Answers {
  readonly #waiting = new Map<string, Set<Listener>>();

  /** @returns ends the waiting. */
  wait(key: string, listener: Listener): () => void {
    const listeners = this.#waiting.get(key) ?? new Set();
    this.#waiting.set(key, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      // Ending twice must not end for those who have come since.
      if (listeners.size === 0 && this.#waiting.get(key) === listeners) this.#waiting.delete(key);
    };
  }

  /** Something may have happened that nobody has told, such as a database that was deleted. */
  look(): void {
    for (const key of this.#waiting.keys()) this.tell(key);
  }

  /** @param settled Absent: it has happened elsewhere, and the answer is in the store. */
  tell(key: string, settled?: Settled): void {
    for (const listener of this.#waiting.get(key) ?? []) listener(settled);
  }
}
