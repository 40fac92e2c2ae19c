import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** Where the page is, whatever becomes of the origin it talks to. */
export interface Site {
  readonly url: string;
  close(): Promise<void>;
}

const HTML = '<!doctype html><title>holdfast</title><script type="module" src="/script.js"></script>';

/**
 * Serves one page with its script.
 *
 * @param script The file; the library comes with it, from its source.
 * @param told Answers what the page posts.
 * @param worker The file of its service worker, if it has one, which it finds as `/worker.js`.
 * @param mode What libraries take `process.env.NODE_ENV` to be; React is strict only in development.
 */
export async function startSite(
  script: URL,
  told: (message: unknown) => unknown = () => undefined,
  worker?: URL,
  mode: 'production' | 'development' = 'production',
): Promise<Site> {
  const scripts = new Map([['/script.js', await bundle(script, 'esm', mode)]]);
  if (worker !== undefined) scripts.set('/worker.js', await bundle(worker, 'iife', mode));
  const server = createServer(async (request, response) => {
    if (request.method === 'POST') {
      // A page that was killed in the middle of it has said nothing.
      const message = await json(request).catch(() => undefined);
      const reply = message && (await told(message));
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

/** @param format A worker is a classic script, in which names of the outermost scope would be everybody's: `fetch`. */
async function bundle(script: URL, format: 'esm' | 'iife', mode: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(script)],
    bundle: true,
    format,
    target: 'es2022',
    // Others than us leave out their assertions by it.
    define: { 'process.env.NODE_ENV': JSON.stringify(mode) },
    write: false,
  });
  return outputFiles.map(({ text }) => text).join('');
}
