import type { PipelineContext } from '../../core/contract.ts';
import { isPageHidden, prefersReducedData } from '../../core/host.ts';
import { HoldfastError } from '../../primitives/failure.ts';
import { tryWithLock } from '../../primitives/locks.ts';
import {
  type Asker,
  type Cache,
  emitCallEvent,
  isCurrentPartition,
  type Revalidation,
} from './cache-context.ts';
import { type CachedResponse, keyPrefix } from './store/entry.ts';

/** With Save-Data, entries younger than this are not revalidated; in ms. */
const SAVING = 5 * 60_000;

export interface Revalidator {
  /** Revalidates a cached response that was served: one at a time, over all tabs. */
  revalidate(pipeline: PipelineContext, cached: CachedResponse, asker: Asker): void;
  /** Probes a silent origin and announces its response. */
  probe(pipeline: PipelineContext, cached: CachedResponse, asker: Asker): Promise<void>;
}

export function revalidator(cache: Cache): Revalidator {
  const underWay = new Set<string>();
  const { store, settings } = cache;

  const ask = async (
    revalidation: Revalidation,
    pipeline: PipelineContext,
    { request, call }: Asker,
  ): Promise<void> => {
    const { partition, origin, options } = call;
    const works: Promise<unknown>[] = [];
    const own = cache.withRevalidation(
      { ...revalidation, isBackground: true },
      pipeline.background({ origin, partition, options }),
      {
        init: call.init,
        ...(call.transport && { transport: call.transport }),
        // Sent later, perhaps with the cookies of another user.
        beforeSend: () => {
          if (!isCurrentPartition(pipeline, partition)) throw new UserChangedError();
        },
        waitUntil(work) {
          works.push(work);
          call.waitUntil(work);
        },
      },
    );
    try {
      // If it was deleted in between, there is nothing to confirm.
      await cache.read(pipeline, request, own);
      // The next tab reads the stored response before it sends a request of its own.
      await Promise.all(works);
    } catch (error) {
      emitCallEvent(own, { type: 'cache-revalidated', url: request.url, error });
    }
  };

  return {
    revalidate(pipeline, cached, asker) {
      const { request, call } = asker;
      const { partition, url, receivedAt } = cached.response;
      const place = keyPrefix(partition, url);
      // The response is served anyway: don't revalidate offline, in a hidden page, or with Save-Data.
      if (underWay.has(place) || !call.host.connectivity.state || isPageHidden()) return;
      if (prefersReducedData() && cache.now - receivedAt < SAVING) return;
      underWay.add(place);
      const work = tryWithLock(`holdfast-cache ${settings.store.name} ${place}`, async () => {
        const stored = await store.findStored(call.partition, request);
        // Another tab has been faster.
        if (stored && stored.response.receivedAt > receivedAt) return;
        await ask({ cached: stored }, pipeline, asker);
      });
      call.waitUntil(work.finally(() => underWay.delete(place)));
    },
    probe: (pipeline, cached, asker) => ask({ cached, isServed: true }, pipeline, asker),
  };
}

/** Nothing was sent: it would have been sent with another user's credentials. */
export class UserChangedError extends HoldfastError {
  override name = 'UserChangedError';

  constructor() {
    super('the user has changed since the request was made', { code: 'user-changed', category: 'aborted' });
  }
}
