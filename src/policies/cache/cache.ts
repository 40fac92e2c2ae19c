import { named } from '../../core/contract.ts';
import { composeWrappers, stageHandler } from '../../core/run/compose-wrappers.ts';
import { DetachableRun } from '../../core/run/detachable-run.ts';
import type { Stage } from '../../core/stage.ts';
import type { Store } from '../../core/store.ts';
import { usersOf } from '../../core/user.ts';
import { Background } from '../../primitives/background.ts';
import { singleFlight } from '../dedupe.ts';
import { type CacheManagement, createCacheApi } from './admin.ts';
import { Silences } from './background.ts';
import { Cache } from './cache-context.ts';
import { isRead, modes } from './modes.ts';
import { readCacheOptions, readCallOptions, type StaleCacheOptions } from './options.ts';
import { originRequest } from './origin-request.ts';

export interface StaleCache extends Stage, CacheManagement {}

/**
 * A private HTTP cache (RFC 9111, RFC 5861) that also serves the last good response when the origin cannot respond. A read
 * never fails because the cache did.
 *
 * Cached responses belong to `call.partition`. They have `Age`, `Cache-Status` (RFC 9211) and `sourceOf(response)`
 * `'stale'`, or `'cache'` where it is still fresh.
 */
export function cachePolicy(options: StaleCacheOptions, defaultStore: () => Store): StaleCache {
  const settings = readCacheOptions(options, options.store ?? defaultStore());
  const cache = new Cache(settings);
  const silences = new Silences();
  const manage = createCacheApi(cache);

  const outer: Stage = {
    ...modes(cache, silences),
    attach(pipeline, inside) {
      cache.attach(pipeline, stageHandler(outer, inside, pipeline, { Run: DetachableRun }));
    },
  };
  const policy = Object.assign(outer, manage);
  return named('staleCache', policy, {
    read: (own) => readCallOptions(own, settings),
    needsPartition: true,
    brings: { compose: composeWrappers, Run: DetachableRun, users: usersOf, Background },
    signOut: async ({ partition }) => ({ cached: await manage.clear({ partition }) }),
    stages: [policy, sharing(cache), originRequest(cache, silences)].map((each) => named('staleCache', each)),
  });
}

/** Shares concurrent reads; ends the sharing at each write, so that later reads join no earlier one. */
function sharing(cache: Cache): Stage {
  const shared = singleFlight();
  return {
    ...shared,
    enter(run) {
      const { call, method } = run;
      const isAlone = call.options.dedupe === false || !cache.revalidationOf(call);
      return isRead(method) && isAlone ? undefined : shared.enter?.(run);
    },
  };
}
