import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { Miniflare } from 'miniflare';

export interface RunningWorker {
  readonly url: string;
  stop(): Promise<void>;
}

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** @param folder Where its storage lies, for another one to go on with. Default: in memory. */
export async function startWorker({
  upstream,
  port = 0,
  folder,
}: {
  upstream: string;
  port?: number;
  folder?: string;
}): Promise<RunningWorker> {
  const miniflare = new Miniflare({
    modules: true,
    script: await bundled(),
    compatibilityDate: '2026-07-01',
    host: '127.0.0.1',
    port,
    cf: false,
    bindings: { UPSTREAM: upstream },
    kvNamespaces: ['COPIES'],
    durableObjects: { ORDERS: { className: 'Orders', useSQLite: true } },
    ...(folder !== undefined && { kvPersist: `${folder}/kv`, durableObjectsPersist: `${folder}/objects` }),
  });
  return { url: String(await miniflare.ready), stop: () => miniflare.dispose() };
}

/** As an application is built: the library by its name. */
async function bundled(): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [at('worker.ts')],
    bundle: true,
    format: 'esm',
    target: 'es2022',
    conditions: ['workerd', 'worker', 'browser'],
    external: ['cloudflare:workers'],
    alias: {
      holdfast: at('../../src/index.ts'),
      'holdfast/cloudflare': at('../../src/cloudflare.ts'),
    },
    write: false,
    logLevel: 'error',
  });
  return outputFiles[0]?.text ?? '';
}
