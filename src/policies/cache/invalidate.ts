import type { Call, Handler } from '../../core/contract.ts';
import { invalidatedBy } from '../../http/invalidation.ts';
import { isOriginFailure } from '../../http/status.ts';
import type { Desk } from './desk.ts';

/** Forgets the copies of some URLs, for as long as a caller may wait for it. */
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

/** RFC 9111, 4.4: what changes a resource makes its copies wrong. */
export function writer(desk: Desk, next: Handler): Handler {
  const doubt = async ({ url }: Request, { host, partition, signal }: Call): Promise<void> => {
    const work = () => desk.shelf.doubt(partition, url, host.clock.now());
    // Who has gone is not to be kept waiting.
    if (signal.aborted) void desk.patience.behind('doubt', work);
    else await desk.patience.soon('doubt', host, work);
  };

  return async (request, call) => {
    try {
      const response = await next(request, call);
      // A redirect that the platform does not let us see has a status of 0.
      if (response.status < 400) await forgetAll(desk, invalidatedBy(request, response), call);
      else if (isOriginFailure(response.status)) await doubt(request, call);
      return response;
    } catch (error) {
      // It may have been carried out all the same.
      if (call.attempts.length > 0) await doubt(request, call);
      throw error;
    }
  };
}
