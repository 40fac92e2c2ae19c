import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Accepts every connection, and responds or does not. */
export interface SilentOrigin {
  readonly url: string;
  /** Body of the responses to reads. */
  version: number;
  /** The paths that get no response. */
  silent: RegExp | undefined;
  /** The received requests, as `GET /path`. */
  readonly seen: string[];
  /** The network returns: waiting requests get a response. */
  respond(): void;
  close(): Promise<void>;
}

export async function startSilentOrigin(): Promise<SilentOrigin> {
  const seen: string[] = [];
  const waiting: (() => void)[] = [];
  const origin = { version: 1, silent: undefined as RegExp | undefined };

  const respond = (request: IncomingMessage, response: ServerResponse): void => {
    for (const name of ['origin', 'methods', 'headers'])
      response.setHeader(`access-control-allow-${name}`, '*');
    response.setHeader('cache-control', 'max-age=0');
    const status = { OPTIONS: 204, POST: 201 }[request.method ?? ''] ?? 200;
    response.writeHead(status).end(status === 200 ? String(origin.version) : undefined);
  };
  const server = createServer((request, response) => {
    seen.push(`${request.method} ${request.url}`);
    request.resume();
    if (origin.silent?.test(request.url ?? '')) waiting.push(() => respond(request, response));
    else respond(request, response);
  });
  // Node would respond 408 by itself.
  server.requestTimeout = 0;
  server.headersTimeout = 0;
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return Object.assign(origin, {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    respond() {
      origin.silent = undefined;
      for (const each of waiting.splice(0)) each();
    },
    async close() {
      const closed = new Promise((done) => server.close(done));
      server.closeAllConnections();
      await closed;
    },
  });
}
