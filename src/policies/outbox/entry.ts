import type { ResponseMetadata } from '../../core/rebuild.ts';
import { rememberBody, withHeader } from '../../core/replay.ts';
import type { StoredBody } from '../../core/store.ts';

/** A write that has been accepted, as it is stored; its body is a record of its own. */
export interface OutboxEntry<Meta = unknown> {
  /** Given by the application, or made on acceptance; those that are made sort by time. */
  readonly id: string;
  /** The store's key of the entry: its place in the queue, and where a page of entries goes on. */
  readonly key: string;
  /** More ids that were given for it, by writes that were merged into it. */
  readonly aliases?: readonly string[];
  /** Goes with every sending of it, so that the origin can tell a repetition; a new one when what is sent changes. */
  readonly idempotencyKey: string;
  readonly partition: string;
  readonly lane: string;
  readonly origin: string;
  readonly state: 'waiting' | 'dead-letter';
  /** Wall times in ms. */
  readonly acceptedAt: number;
  readonly expiresAt: number;
  /** How long it may wait, in ms, where it was given with a time of its own. */
  readonly lifetime?: number;
  /** It is not sent before. */
  readonly notBefore: number;
  /** Since when it waits; before that the clock was set back. */
  readonly waitingSince?: number;
  /** The origin asked for this wait; being online again does not end it. */
  readonly asked?: boolean;
  /** Sendings that count against the limit. */
  readonly attempts: number;
  /** Failures since the last answer that did not count: the wait grows with them. */
  readonly misses?: number;
  /** Since when nobody has answered, or when that last cost an attempt; wall time in ms. */
  readonly silentSince?: number | undefined;
  /** 409s in a row. */
  readonly conflicts?: number;
  /** When a sending began of which it must be known that it did; wall time in ms. */
  readonly claimedAt?: number | undefined;
  /** Writes that are given later under the same are merged into it, as long as it is unsent. */
  readonly coalesceKey?: string;
  /** As a dead letter it stops its lane. */
  readonly blockLaneOnFailure?: boolean;
  readonly delivery?: DeliveryGuarantee;
  /** How often what it says has been changed. */
  readonly revision?: number;
  /** Tells the write from another one that is given the same `id`. */
  readonly fingerprint?: string;
  /** What its sealed content is bound to. */
  readonly seal?: string;
  /** It was sealed with a key that is not to be had: what it says is not known. */
  readonly unreadable?: boolean;
  readonly request: StoredRequest;
  /** Bytes of the body. */
  readonly size: number;
  /** Options of the call that hold for its sendings, as plain data. */
  readonly options: { readonly [policy: string]: unknown };
  readonly meta?: Meta;
  /** Why the last sending did not deliver it. */
  readonly reason?: Reason;
}

/** An entry with its body as it is stored, which may be sealed. */
export interface WholeEntry {
  readonly entry: OutboxEntry;
  readonly body: StoredBody | undefined;
}

/** What is done about a write that may have taken effect, because its response was lost. */
export type DeliveryGuarantee = 'at-least-once' | 'at-most-once';

/** Why an entry was not delivered. */
export interface Reason {
  /**
   * `'http'`, `'redirected'`, `'not-accepted'`, `'expired'`, `'attempts'`, `'unknown-outcome'`, `'removed'`, `'body-lost'`,
   * `'unreadable'`, or the code of an error.
   */
  readonly code: string;
  readonly status?: number;
  readonly message?: string;
  /** RFC 9457 problem details that the origin gave. */
  readonly problem?: unknown;
}

/** What a request has of that name. Some platforms' types, such as those of `wrangler types`, know none of it. */
type OfRequest<Name extends string> = Request extends { readonly [_ in Name]: infer Value } ? Value : string;

export interface StoredRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly credentials: OfRequest<'credentials'>;
  readonly mode: OfRequest<'mode'>;
  readonly redirect: OfRequest<'redirect'>;
  readonly referrerPolicy: OfRequest<'referrerPolicy'>;
}

/** An answer that can be asked for later. */
export interface StoredResult {
  readonly id: string;
  /** Wall time in ms. */
  readonly settledAt: number;
  readonly delivered: boolean;
  /** Absent where there never was an answer, or where none is to be kept (`resultTtl: false`). */
  readonly response?: ResponseMetadata & { readonly headers: readonly (readonly [string, string])[] };
  readonly reason?: Reason;
  /** Why the answer's body was not kept. */
  readonly bodyLost?: 'too large' | 'broken off';
}

/** Headers that say nothing of who sent them. */
const SAFE = [
  'accept',
  'accept-language',
  'content-encoding',
  'content-language',
  'content-type',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-unmodified-since',
  'prefer',
];

/**
 * Splits a request's headers into those that may be written to disk and those that may not.
 *
 * @param leftOut What is neither, because it is made again.
 */
export function sortHeaders(
  headers: Headers,
  alsoKeep: readonly string[],
  leftOut: readonly string[],
): { kept: [string, string][]; dropped: string[] } {
  const kept: [string, string][] = [];
  const dropped: string[] = [];
  headers.forEach((value, name) => {
    if (SAFE.includes(name) || alsoKeep.includes(name)) kept.push([name, value]);
    else if (!leftOut.includes(name)) dropped.push(name);
  });
  return { kept, dropped };
}

export function storedRequest(request: Request, headers: [string, string][]): StoredRequest {
  const { url, method, credentials, mode, redirect, referrerPolicy } = request;
  return { url, method, headers, credentials, mode, redirect, referrerPolicy };
}

/** The request with a key, where it has none. @param name The header; `false` for none. */
export const withKey = (request: Request, name: string | false, key: () => string): Request =>
  name && !request.headers.has(name) ? withHeader(request, name, key()) : request;

/**
 * The request as it was accepted, without what was not written to disk.
 *
 * @param keyHeader The header of its key, where it is to have one.
 */
export function revived(
  { request, idempotencyKey }: Pick<OutboxEntry, 'request' | 'idempotencyKey'>,
  body: StoredBody | undefined,
  keyHeader: string | false = false,
): Request {
  const { url, method, credentials, mode, redirect, referrerPolicy } = request;
  const headers = request.headers.map(([name, value]): [string, string] => [name, value]);
  if (keyHeader && !headers.some(([name]) => name === keyHeader.toLowerCase()))
    headers.push([keyHeader, idempotencyKey]);
  const init: Record<string, unknown> = { method, headers };
  // Workers and some servers' runtimes know fewer of these, and throw at a value that they do not know.
  for (const [name, value] of Object.entries({ credentials, redirect, referrerPolicy }))
    if (value) init[name] = value;
  if (mode === 'cors' || mode === 'same-origin') init.mode = mode;
  if (body !== undefined) init.body = body;
  return rememberBody(new Request(url, init), body);
}
