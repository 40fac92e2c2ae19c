import { Miniflare } from 'miniflare';
import { bundled } from './bundle.ts';

export interface RunningWorker {
  readonly url: string;
  stop(): Promise<void>;
}

/** @param folder Where its storage lies, for another one to go on with. Default: in memory. */
export async function startWorker({
  upstream,
  port = 0,
  folder,
  script,
}: {
  upstream: string;
  port?: number;
  folder?: string;
  /** Another one with the same bindings. Default: `worker.ts`. */
  script?: string;
}): Promise<RunningWorker> {
  const miniflare = new Miniflare({
    modules: true,
    script: script ?? (await bundled(new URL('worker.ts', import.meta.url))),
    compatibilityDate: '2026-07-01',
    host: '127.0.0.1',
    port,
    cf: false,
    bindings: { UPSTREAM: upstream },
    kvNamespaces: ['RESPONSES'],
    // GET /cdn-cgi/handler/scheduled, as with wrangler.
    unsafeTriggerHandlers: true,
    durableObjects: { ORDERS: { className: 'Orders', useSQLite: true } },
    ...(folder !== undefined && { kvPersist: `${folder}/kv`, durableObjectsPersist: `${folder}/objects` }),
  });
  return { url: String(await miniflare.ready), stop: () => miniflare.dispose() };
}
