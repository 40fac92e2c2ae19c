import { type Handler, named, type PipelineContext } from '../../core/contract.ts';
import { segmentHandler } from '../../core/run.ts';
import { signsOut } from '../../core/sign-out.ts';
import type { Stage } from '../../core/stage.ts';
import type { Store } from '../../core/store.ts';
import { singleFlight } from '../dedupe.ts';
import { type CacheManagement, management } from './admin.ts';
import { Desk } from './desk.ts';
import { isRead, modes } from './modes.ts';
import { readCacheOptions, type StaleCacheOptions } from './options.ts';
import { originRequest } from './origin-request.ts';
import { revalidator } from './revalidate.ts';

export interface StaleCache extends Stage, CacheManagement {}

/**
 * A private HTTP cache (RFC 9111, RFC 5861) that also serves the last good copy when the origin cannot answer. A read
 * never fails because the cache did.
 *
 * Copies belong to `call.partition`. What is served has `Age`, `Cache-Status` (RFC 9211) and `sourceOf(response)`
 * `'stale'`, or `'cache'` where it is still fresh.
 */
export function cachePolicy(options: StaleCacheOptions, defaultStore: () => Store): StaleCache {
  const settings = readCacheOptions(options, options.store ?? defaultStore());
  const desk = new Desk(settings);
  const reads = new WeakMap<PipelineContext, Handler>();
  const readsOf = (pipeline: PipelineContext): Handler => reads.get(pipeline) as Handler;
  const manage = management(desk, readsOf);

  const outer: Stage = {
    ...modes(desk, revalidator(desk, readsOf)),
    attach(pipeline, inside) {
      desk.enter(pipeline);
      reads.set(pipeline, segmentHandler({ stages: [outer], options: [''], inside, pipeline }));
    },
  };
  const policy = Object.assign(outer, manage);
  return named('staleCache', policy, {
    needsPartition: true,
    signOut: signsOut(async ({ partition }) => ({ cached: await manage.clear({ partition }) })),
    stages: [policy, sharing(desk), originRequest(desk)].map((each) => named('staleCache', each)),
  });
}

/** Reads of the cache that are under way at the same time; and writes in any case: reads after them join none from before. */
function sharing({ questions }: Desk): Stage {
  const shared = singleFlight();
  return {
    ...shared,
    enter(run) {
      const { call, method } = run;
      const isAlone = call.options.dedupe === false || !questions.of(call);
      return isRead(method) && isAlone ? undefined : shared.enter?.(run);
    },
  };
}
