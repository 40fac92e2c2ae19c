import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** The URL of the page, whatever happens to its origin. */
export interface Site {
  readonly url: string;
  close(): Promise<void>;
}

const HTML = '<!doctype html><title>holdfast</title><script type="module" src="/script.js"></script>';

/**
 * Serves one page with its script.
 *
 * @param script The file; the library comes with it, from its source.
 * @param onMessage Responds to the posts of the page.
 * @param worker The file of its service worker, if it has one, which it finds as `/worker.js`.
 * @param mode The value of `process.env.NODE_ENV` for libraries; React is strict only in
 * development.
 */
export async function startSite(
  script: URL,
  onMessage: (message: unknown) => unknown = () => undefined,
  worker?: URL,
  mode: 'production' | 'development' = 'production',
): Promise<Site> {
  const scripts = new Map([['/script.js', await bundle(script, 'esm', mode)]]);
  if (worker !== undefined) scripts.set('/worker.js', await bundle(worker, 'iife', mode));
  const server = createServer(async (request, response) => {
    if (request.method === 'POST') {
      // A page that was killed in the middle of a post has reported nothing.
      const message = await json(request).catch(() => undefined);
      const reply = message && (await onMessage(message));
      return response.end(JSON.stringify(reply ?? null));
    }
    if (request.url === '/forget') return response.setHeader('clear-site-data', '"storage"').end();
    const source = scripts.get(request.url?.split('?')[0] ?? '/');
    const [type, body] = source === undefined ? ['text/html', HTML] : ['text/javascript', source];
    response.setHeader('content-type', `${type}; charset=utf-8`).end(body);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}/`,
    async close() {
      const closed = new Promise((done) => server.close(done));
      server.closeAllConnections();
      await closed;
    },
  };
}

/**
 * @param format A worker is a classic script, in which names of the outermost scope would be
 * global: `fetch`.
 */
async function bundle(script: URL, format: 'esm' | 'iife', mode: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(script)],
    bundle: true,
    format,
    target: 'es2022',
    // Other libraries leave out their assertions by it.
    define: { 'process.env.NODE_ENV': JSON.stringify(mode) },
    write: false,
  });
  return outputFiles.map(({ text }) => text).join('');
}
