import { createHash } from 'node:crypto';

/** The response of a route. `deliver.ts` decides how it reaches the client, if at all. */
export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
  /** A body that is sent in parts without a length, such as an event stream. */
  readonly pieces?: readonly Buffer[] | undefined;
}

type Headers = Readonly<Record<string, string>>;

export function empty(status: number, headers: Headers = {}): Answer {
  return { status, headers, body: Buffer.alloc(0) };
}

export function text(status: number, content: string, headers: Headers = {}): Answer {
  return {
    status,
    headers: { 'Content-Type': 'text/plain; charset=utf-8', ...headers },
    body: Buffer.from(content),
  };
}

export function json(status: number, value: unknown, headers: Headers = {}): Answer {
  return text(status, JSON.stringify(value), { 'Content-Type': 'application/json', ...headers });
}

/** Problem details, RFC 9457. */
export function problem(
  status: number,
  title: string,
  details: Readonly<Record<string, unknown>> = {},
  headers: Headers = {},
): Answer {
  return json(
    status,
    { type: 'about:blank', title, status, ...details },
    { 'Content-Type': 'application/problem+json', ...headers },
  );
}

/** A body that every test can compute for itself: the alphabet and the digits, over and over. */
export function bytes(length: number): Buffer {
  return Buffer.alloc(length, 'abcdefghijklmnopqrstuvwxyz0123456789');
}

export function digest(body: Buffer): string {
  return createHash('sha256').update(body).digest('hex');
}

/** Turns a good answer into a 304 when the client already has it (RFC 9110, 13.1.2). */
export function unlessKnown(answer: Answer, ifNoneMatch: string | undefined): Answer {
  const { 'Content-Type': _, ...headers } = answer.headers;
  const { ETag: etag } = headers;
  if (etag === undefined || ifNoneMatch === undefined || !names(ifNoneMatch, etag)) return answer;
  return empty(304, headers);
}

/** Whether a list as in If-Match or If-None-Match names this entity tag. */
export function names(list: string, etag: string): boolean {
  const strong = (tag: string) => tag.trim().replace(/^W\//, '');
  return list.trim() === '*' || list.split(',').some((tag) => strong(tag) === strong(etag));
}
