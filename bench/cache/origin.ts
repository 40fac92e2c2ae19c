import { randomBytes } from 'node:crypto';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setImmediate } from 'node:timers/promises';
import { HEADERS } from './answer.ts';

const CHUNK = 65_536;

/** Isolated from other origins, a page has a clock of 5 µs, and one of 100 µs without (High Resolution Time, 3). */
const ISOLATED = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
};

/** Serves a page with one script, and bodies as long as they are asked for. */
export async function startOrigin(script: string): Promise<{ url: string; close(): Promise<void> }> {
  const bytes = randomBytes(1_000_000);
  const server = createServer(async ({ url = '/' }, response) => {
    const { pathname, searchParams } = new URL(url, 'http://localhost');
    const body = bytes.subarray(0, Number(searchParams.get('bytes')));
    if (pathname === '/kept') answer(response).end(body);
    else if (pathname === '/streamed') await stream(answer(response), body);
    else if (pathname === '/script.js') response.setHeader('content-type', 'text/javascript').end(script);
    else
      response
        .writeHead(200, { ...ISOLATED, 'content-type': 'text/html' })
        .end('<!doctype html><title>bench</title><script src="/script.js"></script>');
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answer(response: ServerResponse): ServerResponse {
  for (const [name, value] of HEADERS) response.setHeader(name, value);
  return response;
}

async function stream(response: ServerResponse, body: Uint8Array): Promise<void> {
  for (let at = 0; at < body.byteLength; at += CHUNK) {
    response.write(body.subarray(at, at + CHUNK));
    await setImmediate();
  }
  response.end();
}
