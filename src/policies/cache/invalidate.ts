import type { Call, Handler } from '../../core/contract.ts';
import { invalidatedBy } from '../../http/invalidation.ts';
import { isOriginFailure } from '../../http/status.ts';
import type { Desk } from './desk.ts';

/** Deletes the copies of some URLs, for as long as a caller may wait for it. */
export async function forgetAll(desk: Desk, urls: readonly string[], call: Call): Promise<void> {
  const { host, partition, emit } = call;
  const { patience, shelf } = desk;
  const forget = async (url: string): Promise<void> => {
    const now = host.clock.now();
    const entries = await patience.soon('forget', host, () => shelf.forget(partition, url, now));
    if (entries) emit?.({ type: 'cache-forgotten', url, partition, entries });
  };
  await Promise.all(urls.map(forget));
}

/** Marks the copies of some URLs as wrong; they may still stand in for a failing origin. */
async function invalidateAll(desk: Desk, urls: readonly string[], call: Call): Promise<void> {
  const { host, partition, emit } = call;
  const invalidate = async (url: string): Promise<void> => {
    const now = host.clock.now();
    const work = () => desk.shelf.invalidate(partition, url, now);
    const entries = await desk.patience.soon('invalidate', host, work);
    if (entries) emit?.({ type: 'cache-invalidated', url, partition, entries });
  };
  await Promise.all(urls.map(invalidate));
}

/** The origin asks for the end of all that is stored (https://www.w3.org/TR/clear-site-data/). */
const clearsCache = ({ headers }: Response): boolean =>
  /"(cache|storage|\*)"/.test(headers.get('clear-site-data') ?? '');

/** Hands requests on, and drops all cached responses of the partition if a response asks for it. */
export function clearing(desk: Desk, next: Handler): Handler {
  return (request, call) =>
    next(request, call).then(async (response) => {
      const { host, partition, isSignedOut } = call;
      if (!isSignedOut && clearsCache(response))
        await desk.patience.soon('clear', host, () =>
          desk.shelf.forget(partition, undefined, host.clock.now()),
        );
      return response;
    });
}

/** RFC 9111, 4.4: what changes a resource makes its copies wrong. */
export function writer(desk: Desk, next: Handler): Handler {
  const doubt = async ({ url }: Request, { host, partition, signal }: Call): Promise<void> => {
    const work = () => desk.shelf.doubt(partition, url, host.clock.now());
    // Who has gone is not to be kept waiting.
    if (signal.aborted) void desk.patience.behind('doubt', work);
    else await desk.patience.soon('doubt', host, work);
  };

  const changed = (request: Request, response: Response, call: Call): Promise<void> => {
    const isGone = request.method === 'DELETE' || desk.settings.invalidated === 'drop';
    return (isGone ? forgetAll : invalidateAll)(desk, invalidatedBy(request, response), call);
  };

  return async (request, call) => {
    try {
      const response = await next(request, call);
      // A redirect that the platform does not let us see has a status of 0.
      if (response.status < 400) await changed(request, response, call);
      else if (isOriginFailure(response.status)) await doubt(request, call);
      return response;
    } catch (error) {
      // It may have been carried out all the same.
      if (call.attempts.length > 0) await doubt(request, call);
      throw error;
    }
  };
}
