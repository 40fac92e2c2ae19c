import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { gzipSync } from 'node:zlib';

/** Responses of every kind, from a real server. */
export interface Upstream {
  readonly url: string;
  /** The received requests, as `METHOD /path`. */
  readonly seen: string[];
  /** Responses that it is still sending. */
  underWay(): number;
  close(): Promise<void>;
}

export const MEGABYTE = 1 << 20;

const FRESH = { 'cache-control': 'max-age=60', 'access-control-allow-origin': '*' };

const CHUNKS = 10;
const CHUNK = 'x'.repeat(1_000);

/** Every 100 ms one, so that a collection of garbage comes in between. */
export const SLOW = CHUNK.repeat(CHUNKS);
export const ZIPPED = 'hello '.repeat(1_000);

type Responder = (request: IncomingMessage, response: ServerResponse) => void;

const responders: Record<string, Responder> = {
  '/text': (_, response) =>
    response.writeHead(200, { ...FRESH, 'content-type': 'text/plain', 'content-length': 5 }).end('hello'),
  '/gzip': (_, response) => {
    const body = gzipSync(ZIPPED);
    response
      .writeHead(200, { ...FRESH, 'content-encoding': 'gzip', 'content-length': body.byteLength })
      .end(body);
  },
  '/slow': (_, response) => {
    response.writeHead(200, FRESH);
    let sent = 0;
    const send = (): void => {
      if (sent++ === CHUNKS) response.end();
      else if (!response.destroyed) setTimeout(send, 100, response.write(CHUNK));
    };
    send();
  },
  '/large': (_, response) => {
    response.writeHead(200, FRESH);
    const chunk = Buffer.alloc(MEGABYTE, 'x');
    let left = 100;
    const send = (): void => {
      while (left-- > 0) if (!response.write(chunk)) return void response.once('drain', send);
      response.end();
    };
    send();
  },
  '/endless': (_, response) => {
    response.writeHead(200, FRESH);
    const send = (): void => {
      if (!response.destroyed) setTimeout(send, 20, response.write(CHUNK));
    };
    send();
  },
  '/none': (_, response) => response.writeHead(204, FRESH).end(),
  '/unchanged': (_, response) => response.writeHead(304, { ...FRESH, etag: '"1"' }).end(),
  '/missing': (_, response) => response.writeHead(404, FRESH).end('missing'),
  '/broken': (_, response) => response.writeHead(503, FRESH).end('broken'),
  '/cut': (_, response) => {
    response.writeHead(200, { ...FRESH, 'content-length': 100 });
    response.write('hello', () => response.destroy());
  },
};

export async function startUpstream(): Promise<Upstream> {
  const seen: string[] = [];
  let underWay = 0;
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://upstream');
    seen.push(`${request.method} ${pathname}`);
    underWay++;
    response.once('close', () => underWay--);
    // Before a request with credentials or trace headers a browser sends a preflight.
    if (request.method === 'OPTIONS')
      return response
        .writeHead(204, {
          ...FRESH,
          'access-control-allow-headers': '*, authorization',
          'access-control-max-age': '600',
        })
        .end();
    const respond = responders[pathname] ?? ((_, response) => response.writeHead(404).end());
    respond(request, response);
  });
  // RFC 6455, 4.2.2; one message, and that is all.
  const sockets = new Set<Duplex>();
  server.on('upgrade', ({ headers }, socket) => {
    sockets.add(socket);
    const key = `${headers['sec-websocket-key']}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`;
    const accept = createHash('sha1').update(key).digest('base64');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${accept}\r\n\r\n`,
    );
    socket.write(Buffer.concat([Buffer.from([0x81, 5]), Buffer.from('hello')]));
    socket.on('error', () => {});
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    seen,
    underWay: () => underWay,
    async close() {
      const closed = new Promise((done) => server.close(done));
      server.closeAllConnections();
      // Upgraded sockets are no connections of the server's any more.
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
