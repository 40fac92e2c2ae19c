import type { IncomingHttpHeaders } from 'node:http';
import { type Answer, bytes, digest, json, text, unlessKnown } from './answer.ts';
import { wholeNumber } from './behaviour.ts';
import type { OAuth } from './oauth.ts';
import type { Orders } from './orders.ts';

/** A request, read to its end. */
export interface Exchange {
  readonly method: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly url: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  /** The parsed Idempotency-Key. */
  readonly key: string | null;
}

export interface Route {
  /** Whether a write to it changes something, and so is done once per Idempotency-Key. */
  readonly hasEffect: boolean;
  answer(): Answer;
}

/** The well-behaved server: the responses to requests that ask for no fault. */
export function route(exchange: Exchange, orders: Orders, oauth: OAuth): Route {
  const { path } = exchange;
  const [, tenant, rest] = /^(.*)\/oauth(\/.*)$/.exec(path) ?? [];
  if (tenant !== undefined)
    return { hasEffect: false, answer: () => oauth.answer(tenant, rest ?? '', exchange) };
  const [, shop, id] = /^(.*)\/orders(?:\/([^/]+))?$/.exec(path) ?? [];
  if (shop !== undefined) return { hasEffect: true, answer: () => orders.answer(shop, id, exchange) };
  const [, of] = /^(.*)\/products$/.exec(path) ?? [];
  if (of !== undefined && !isWrite(exchange.method))
    return { hasEffect: false, answer: () => orders.products(of) };
  if (path === '/echo') return { hasEffect: false, answer: () => echo(exchange) };
  if (path === '/upload') return { hasEffect: false, answer: () => upload(exchange) };
  if (path === '/etag') return { hasEffect: false, answer: () => etag(exchange) };
  if (path === '/events') return { hasEffect: false, answer: () => events(exchange) };
  if (/^\/bytes\/[^/]+$/.test(path))
    return { hasEffect: false, answer: () => ofLength(path.slice('/bytes/'.length)) };
  return { hasEffect: true, answer: () => anything(exchange) };
}

function echo({ method, url, headers, body }: Exchange): Answer {
  return json(200, { method, url, headers, body: body.toString(), base64: body.toString('base64') });
}

function upload({ body }: Exchange): Answer {
  return json(200, { length: body.length, sha256: digest(body) });
}

function ofLength(length: string): Answer {
  return {
    ...text(200, '', { 'Content-Type': 'application/octet-stream' }),
    body: bytes(wholeNumber(length, 'bytes')),
  };
}

function etag({ query, headers }: Exchange): Answer {
  const version = query.get('version') ?? '1';
  return unlessKnown(json(200, { version }, { ETag: JSON.stringify(version) }), headers['if-none-match']);
}

/** Server-sent events, numbered from 1 or from where the client left off. */
function events({ query, headers }: Exchange): Answer {
  const first = Number(headers['last-event-id'] ?? 0) + 1;
  const count = wholeNumber(query.get('count') ?? 10, 'count');
  const pieces = Array.from({ length: Math.max(0, count - first + 1) }, (_, nth) =>
    Buffer.from(`event: tick\nid: ${first + nth}\ndata: ${JSON.stringify({ tick: first + nth })}\n\n`),
  );
  return {
    ...text(200, '', { 'Content-Type': 'text/event-stream', 'Cache-Control': 'no-store' }),
    body: Buffer.concat(pieces),
    pieces,
  };
}

function anything({ method, path, key }: Exchange): Answer {
  return isWrite(method) ? json(201, { ok: true, key }) : json(200, { ok: true, method, path });
}

export function isWrite(method: string): boolean {
  return !['GET', 'HEAD', 'OPTIONS', 'TRACE'].includes(method);
}
