import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { Miniflare } from 'miniflare';

export interface Isolates {
  /** Makes a call in one of them. @returns the status of the answer, or the code of the error. */
  call(isolate: number): Promise<number | string>;
  /** The types of the events of one. */
  emitted(isolate: number): Promise<string[]>;
  /** How the object behaves from now on: `well`, `overloaded`, `silent`, `garbage`. */
  behave(manner: string): Promise<void>;
  /** How often the object was asked. */
  count(): Promise<number>;
  /** The object is ended, and with it its memory. */
  die(): Promise<void>;
  stop(): Promise<void>;
}

interface IsolatesOptions {
  readonly many: number;
  readonly upstream: string;
  readonly shares?: boolean;
  /** In which of them each request has a client of its own. */
  readonly perRequest?: readonly number[];
}

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** The same for all tests. */
let script: Promise<string> | undefined;

/** Workers over one Durable Object, in one workerd; each is an isolate of its own. */
export async function startIsolates({
  many,
  upstream,
  shares = true,
  perRequest = [],
}: IsolatesOptions): Promise<Isolates> {
  script ??= bundled();
  const code = await script;
  const worker = (name: string, ownClients = false) => ({
    name,
    modules: true,
    script: code,
    compatibilityDate: '2026-07-01',
    bindings: { UPSTREAM: upstream, SHARES: shares, PER_REQUEST: ownClients },
    durableObjects: { COORDINATOR: { className: 'Coordinator', scriptName: 'coordinator' } },
  });
  const isolates = Array.from({ length: many }, (_, nth) =>
    worker(`isolate-${nth}`, perRequest.includes(nth)),
  );
  const miniflare = new Miniflare({
    host: '127.0.0.1',
    port: 0,
    cf: false,
    workers: [worker('coordinator'), ...isolates],
  });
  await miniflare.ready;
  const ask = async (name: string, path: string): Promise<unknown> => {
    const worker = (await miniflare.getWorker(name)) as unknown as { fetch(url: string): Promise<Response> };
    const answer = await worker.fetch(`http://worker${path}`);
    const text = await answer.text();
    return text === '' ? undefined : JSON.parse(text);
  };
  return {
    call: (isolate) => ask(`isolate-${isolate}`, '/call') as Promise<number | string>,
    emitted: (isolate) => ask(`isolate-${isolate}`, '/emitted') as Promise<string[]>,
    behave: async (manner) => void (await ask('coordinator', `/behave?manner=${manner}`)),
    count: () => ask('coordinator', '/count') as Promise<number>,
    // Whoever ends it hears that it has ended.
    die: async () => void (await ask('coordinator', '/die').catch(() => {})),
    stop: () => miniflare.dispose(),
  };
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
    tsconfig: at('../../../tsconfig.json'),
    write: false,
    logLevel: 'error',
  });
  return outputFiles[0]?.text ?? '';
}

export interface Upstream {
  readonly url: string;
  /** Of each request, when it came; in ms. */
  readonly arrivals: number[];
  /** What it answers with; 0: nothing at all. */
  status: number;
  /** `Retry-After` in seconds; 0: none. */
  retryAfter: number;
  close(): Promise<void>;
}

/** A server that counts. */
export async function startUpstream(status = 200): Promise<Upstream> {
  const server = createServer((_, response) => {
    upstream.arrivals.push(performance.now());
    if (upstream.retryAfter > 0) response.setHeader('retry-after', upstream.retryAfter);
    if (upstream.status !== 0) response.writeHead(upstream.status).end('answer');
  });
  const upstream: Upstream = {
    url: '',
    arrivals: [],
    status,
    retryAfter: 0,
    close: () =>
      new Promise((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      }),
  };
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening));
  return Object.assign(upstream, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/` });
}
