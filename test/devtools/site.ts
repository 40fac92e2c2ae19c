import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

export interface Site {
  readonly url: string;
  close(): Promise<void>;
}

/** The headers of an application with a strict policy: only style files, only its own scripts. */
const CSP =
  "default-src 'self'; script-src 'self'; style-src 'self'; require-trusted-types-for 'script'; trusted-types 'none'";

/** Bundles a page's script as an application does. */
async function bundled(entry: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(`page/${entry}.ts`, import.meta.url))],
    bundle: true,
    format: 'esm',
    target: 'es2022',
    minify: true,
    write: false,
    logLevel: 'error',
  });
  return outputFiles[0]?.text ?? '';
}

const PAGE = `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>An application</title>
<main><h1>Shop</h1><p>An application in development.</p></main>
<script type="module" src="/app.js"></script>
</html>`;

/** A page with the devtools, `/`; the same under a strict policy, `/strict`; and an API. */
export async function startSite(): Promise<Site> {
  const [script, second] = await Promise.all([bundled('app'), bundled('second')]);
  const server = createServer(async (request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://site');
    const send = (status: number, type: string, body: string, headers: Record<string, string> = {}): void => {
      response.writeHead(status, { 'content-type': type, ...headers });
      response.end(body);
    };
    if (pathname === '/') return send(200, 'text/html', PAGE);
    if (pathname === '/strict') return send(200, 'text/html', PAGE, { 'content-security-policy': CSP });
    if (pathname === '/favicon.ico') return send(204, 'image/x-icon', '');
    if (pathname === '/two')
      return send(
        200,
        'text/html',
        PAGE.replace('</html>', '<script type="module" src="/second.js"></script></html>'),
      );
    if (pathname === '/second.js') return send(200, 'text/javascript', second);
    if (pathname === '/app.js') return send(200, 'text/javascript', script);
    if (request.method === 'POST') {
      let body = '';
      for await (const chunk of request) body += chunk;
      if (body.includes('stranger')) return send(401, 'application/json', '{}');
      if (!body.includes('bad')) return send(201, 'application/json', '{"ok":true}');
      return send(
        422,
        'application/problem+json',
        '{"title":"<img src=x onerror=alert(1)> is no item","status":422}',
      );
    }
    return send(200, 'application/json', '{"items":[1,2,3]}', { 'cache-control': 'max-age=60' });
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((done) => {
        server.close(() => done());
        server.closeAllConnections();
      }),
  };
}
