import { createResponse } from '../../core/body/response.ts';
import { watchBody } from '../../core/body/watched-response.ts';
import { SOURCE_HEADER } from '../../core/outcome.ts';
import { HoldfastError } from '../../primitives/failure.ts';
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
    super(`outbox entry ${id} has been settled, but ${why}`, { code: 'result-lost', category: 'storage' });
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
