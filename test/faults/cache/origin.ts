import { createCipheriv, createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { chance } from '../../../tools/misbehaving-server/chance.ts';

const CHUNK = 64 * 1024;

export interface OriginOptions {
  /** So many requests for a URL get the same version of it. Default 1: each gets another. */
  readonly repeats?: number;
  /** Milliseconds between two chunks of a body. Default 0. */
  readonly pace?: number;
  /** The freshness of its responses. Default `max-age=0`. */
  readonly freshness?: string;
  /** For its `deafness`. Default 1. */
  readonly seed?: number;
}

/** Each response names its user and its version, and has a digest of the whole body. */
export interface Origin {
  readonly url: string;
  /** The probability that a request gets no response, from 0 to 1. */
  deafness: number;
  /** The number of bodies that were sent to their end. */
  readonly sent: number;
  /** Stops listening, and closes all connections. */
  refuse(): Promise<void>;
  /** On the same port. */
  listen(): Promise<void>;
  /** Sends no body further than its half. */
  holdHalfWay(): HalfWay;
}

export interface HalfWay {
  /** The number of bodies that wait there. */
  readonly waiting: number;
  release(): void;
}

/** @returns an origin that listens: `/any/path?size=1000` is so many random bytes. */
export async function startOrigin(options: OriginOptions = {}): Promise<Origin> {
  const { repeats = 1, pace = 0, freshness = 'max-age=0', seed = 1 } = options;
  const requestCounts = new Map<string, number>();
  let deafness = 0;
  let requests = 0;
  let sent = 0;
  let half: { waiting: number; released: Promise<void> } | undefined;
  let server: Server | undefined;
  let port = 0;

  async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const { 'x-network': network, 'x-user': user = 'nobody' } = request.headers;
    if (network === 'gone' || chance(seed, 'deaf', requests++) < deafness)
      return void request.socket.destroy();
    for (const name of ['origin', 'methods', 'headers'])
      response.setHeader(`access-control-allow-${name}`, '*');
    response.setHeader('access-control-expose-headers', '*').setHeader('access-control-max-age', 600);
    if (network === 'failing') return void response.writeHead(503).end();
    if (request.method !== 'GET') return void response.writeHead(204).end();
    const url = new URL(request.url ?? '/', 'http://origin');
    const times = requestCounts.get(url.pathname) ?? 0;
    requestCounts.set(url.pathname, times + 1);
    const version = Math.floor(times / repeats) + 1;
    // A 304 does not name its user: a client that validates with the tag of another user learns
    // that it is still valid.
    response.setHeader('etag', `"${version}"`).setHeader('cache-control', freshness);
    response.setHeader('x-user', user).setHeader('x-version', version);
    if (request.headers['if-none-match'] === `"${version}"`) return void response.writeHead(304).end();
    const body = randomBytes(`${user} ${url.pathname} ${version}`, Number(url.searchParams.get('size')));
    response.setHeader('x-digest', createHash('sha256').update(body).digest('hex'));
    response.setHeader('content-length', body.byteLength);
    await send(body, response);
  }

  async function send(body: Buffer, response: ServerResponse): Promise<void> {
    const middle = body.byteLength / 2;
    for (let at = 0; at < body.byteLength && !response.destroyed; at += CHUNK) {
      response.write(body.subarray(at, Math.min(at + CHUNK, body.byteLength)));
      if (half && at < middle && at + CHUNK >= middle) {
        half.waiting++;
        await half.released;
      }
      await sleep(pace);
    }
    response.end();
    sent++;
  }

  async function refuse(): Promise<void> {
    const closed = new Promise((done) => server?.close(done));
    server?.closeAllConnections();
    await closed;
  }

  async function listen(): Promise<void> {
    const listening = createServer(respond);
    await new Promise<void>((done) => listening.listen(port, '127.0.0.1', done));
    ({ port } = listening.address() as AddressInfo);
    server = listening;
  }

  await listen();
  return {
    url: `http://127.0.0.1:${port}`,
    get deafness() {
      return deafness;
    },
    set deafness(share) {
      deafness = share;
    },
    get sent() {
      return sent;
    },
    refuse,
    listen,
    holdHalfWay() {
      const { promise, resolve } = Promise.withResolvers<void>();
      const gate = { waiting: 0, released: promise };
      half = gate;
      return {
        get waiting() {
          return gate.waiting;
        },
        release() {
          half = undefined;
          resolve();
        },
      };
    },
  };
}

/** The same for the same seed. */
function randomBytes(seed: string, size: number): Buffer {
  const key = createHash('sha256').update(seed).digest();
  return createCipheriv('aes-256-ctr', key, Buffer.alloc(16)).update(Buffer.alloc(size));
}
