import { readFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';

export interface StaticSite {
  readonly url: string;
  /** What was asked for and is no file. */
  readonly missed: readonly string[];
  close(): Promise<void>;
}

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.woff2': 'font/woff2',
};

/** A plain file server: it knows GET, and nothing of the playground. */
export async function serveFolder(folder: string): Promise<StaticSite> {
  const missed: string[] = [];
  const server = createServer(async ({ method, url = '/' }, response) => {
    const { pathname } = new URL(url, 'http://site');
    const file = join(folder, pathname.endsWith('/') ? `${pathname}index.html` : pathname);
    const content = method === 'GET' ? await readFile(file).catch(() => undefined) : undefined;
    if (!content) missed.push(`${method} ${url}`);
    response.writeHead(content ? 200 : 404, { 'content-type': TYPES[extname(file)] ?? 'text/plain' });
    response.end(content);
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    missed,
    async close() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };
}
