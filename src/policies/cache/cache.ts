import { memoized } from '../../core/check.ts';
import { type Handler, named, type Wrapper } from '../../core/contract.ts';
import { segmentHandler } from '../../core/run.ts';
import { signsOut } from '../../core/sign-out.ts';
import type { Store } from '../../core/store.ts';
import { isOwnValidation, wantedBy } from '../../http/wanted.ts';
import { dedupe } from '../dedupe.ts';
import { Desk } from './desk.ts';
import { exchange } from './exchange.ts';
import { clearing } from './invalidate.ts';
import { type CacheManagement, management } from './manage.ts';
import { readCacheOptions, readCallOptions, type StaleCacheOptions } from './options.ts';
import { partialReads } from './partial.ts';
import { readsOf } from './reads.ts';
import { revalidator } from './revalidate.ts';

export interface StaleCache extends Wrapper, CacheManagement {}

/**
 * A private HTTP cache (RFC 9111, RFC 5861) that also serves the last good copy when the origin cannot answer. A read
 * never fails because the cache did.
 *
 * Copies belong to `call.partition`. What is served has `Age`, `Cache-Status` (RFC 9211) and `sourceOf(response)`
 * `'stale'`, or `'cache'` where it is still fresh.
 */
export function cachePolicy(options: StaleCacheOptions, defaultStore: () => Store): StaleCache {
  const settings = readCacheOptions(options, options.store ?? defaultStore());
  const callOptions = memoized((own) => readCallOptions(own, settings));
  const desk = new Desk(settings);
  const manage = management(desk);

  const policy: Wrapper = (inside, home) => {
    desk.enter(home);
    const next = clearing(desk, desk.silences.watched(inside));
    const alone = exchange(desk, next, home);
    // Writes in any case: reads after them are not to join reads from before.
    const shared = segmentHandler({ stages: [dedupe()], options: [''], inside: alone, home });
    const network: Handler = (request, call) =>
      (call.options.dedupe === false && isRead(request) ? alone : shared)(request, call);
    const reads = readsOf(desk, network, home, revalidator(desk, network, home));
    const partial = partialReads(desk, next);
    manage.use(reads, home);

    return (request, call) => {
      // Integrity is checked by the platform, on what comes from the network.
      const { mode, integrity } = request;
      if (call.isSignedOut) return next(request, call);
      if (!isRead(request)) return network(request, call);
      if (isOwnValidation(request) || integrity || mode === 'no-cors' || mode === 'navigate')
        return next(request, call);
      const read = { request, call, wanted: wantedBy(request), own: callOptions(call.options.staleCache) };
      return request.headers.has('range') ? partial(read) : reads(read);
    };
  };

  const { use: _, ...visible } = manage;
  return Object.assign(
    named('staleCache', policy, {
      needsPartition: true,
      signOut: signsOut(async ({ partition }) => ({ cached: await manage.clear({ partition }) })),
    }),
    visible,
  );
}

const isRead = ({ method }: Request): boolean => method === 'GET' || method === 'HEAD';
