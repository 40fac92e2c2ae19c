import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** Where the page is, whatever becomes of the origin it reads from. */
export interface Site {
  readonly url: string;
  close(): Promise<void>;
}

const HTML = '<!doctype html><title>holdfast</title><script type="module" src="/script.js"></script>';

/**
 * Serves one page with its script.
 *
 * @param script Its path from here; the library comes with it, from its source.
 * @param told Answers what the page posts.
 */
export async function startSite(
  script: string,
  told: (message: unknown) => unknown = () => undefined,
): Promise<Site> {
  const bundled = await bundle(script);
  const server = createServer(async (request, response) => {
    if (request.method === 'POST') {
      // A page that was killed in the middle of it has said nothing.
      const message = await json(request).catch(() => undefined);
      const reply = message && (await told(message));
      return response.end(JSON.stringify(reply ?? null));
    }
    if (request.url === '/forget') return response.setHeader('clear-site-data', '"storage"').end();
    const [type, body] = request.url === '/script.js' ? ['text/javascript', bundled] : ['text/html', HTML];
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

async function bundle(script: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(script, import.meta.url))],
    bundle: true,
    format: 'esm',
    target: 'es2022',
    write: false,
  });
  return outputFiles.map(({ text }) => text).join('');
}
