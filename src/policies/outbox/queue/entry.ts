import type { ResponseMetadata } from '../../../core/body/response.ts';
import type { StoredBody } from '../../../core/store.ts';

/** An accepted write as it is stored; its body is stored beside it. */
export interface OutboxEntry<Meta = unknown> {
  /** Given by the application, or generated; generated ids sort by time. */
  readonly id: string;
  /** The store's key of the entry: its place in the queue, and where a page of entries goes on. */
  readonly key: string;
  /** Further ids, of writes that were merged into it. */
  readonly aliases?: readonly string[];
  /** Sent with every attempt, so that the origin recognises a repetition; new if the request changes. */
  readonly idempotencyKey: string;
  readonly partition: string;
  readonly lane: string;
  readonly origin: string;
  readonly state: 'waiting' | 'dead-letter';
  /** Wall times in ms. */
  readonly acceptedAt: number;
  readonly expiresAt: number;
  /** How long it may wait, in ms, if its call said so. */
  readonly ttl?: number;
  /** It is not sent before this time. */
  readonly notBefore: number;
  /** Start of the wait: a clock before this time was set back. */
  readonly waitingSince?: number;
  /** The origin asked for this wait by `Retry-After`; being online again does not end it. */
  readonly fromRetryAfter?: boolean;
  /** Attempts that count against the limit. */
  readonly attempts: number;
  /** Failures without a response since the last one: the backoff grows with them. */
  readonly unreachableCount?: number;
  /** Since when the origin has not responded, or when that last cost an attempt; wall time in ms. */
  readonly unreachableSince?: number | undefined;
  /** 409s in a row. */
  readonly conflicts?: number;
  /** When an attempt began that had to be recorded; wall time in ms. */
  readonly claimedAt?: number | undefined;
  /** Later writes with the same key are merged into it while it is unsent. */
  readonly coalesceKey?: string;
  /** As a dead letter it stops its lane. */
  readonly blockLaneOnFailure?: boolean;
  readonly delivery?: DeliveryGuarantee;
  /** How often its content has changed. */
  readonly revision?: number;
  /** Distinguishes the write from another one with the same `id`. */
  readonly fingerprint?: string;
  /** The context that its content is encrypted with. */
  readonly cipherContext?: string;
  /** It was encrypted with a key that is not available: its content is unknown. */
  readonly unreadable?: boolean;
  readonly request: StoredRequest;
  /** Bytes of the body. */
  readonly size: number;
  /** Options that the call itself gave, which hold for its attempts, as plain data. */
  readonly options: { readonly [policy: string]: unknown };
  readonly meta?: Meta;
  /** Why the last attempt did not deliver it. */
  readonly reason?: Reason;
}

/** An entry with its stored body, which may be encrypted. */
export interface EntryWithBody {
  readonly entry: OutboxEntry;
  readonly body: StoredBody | undefined;
}

/** A result with its body. */
export interface ResultWithBody {
  readonly result: StoredResult;
  readonly body: StoredBody | undefined;
}

/** How to treat a write that may have taken effect, because its response was lost. */
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

/** The type of a request's property. Some platforms' types, such as those of `wrangler types`, lack some. */
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

/** A result for `result(id)`. */
export interface StoredResult {
  readonly id: string;
  /** Wall time in ms. */
  readonly finishedAt: number;
  readonly delivered: boolean;
  /** Absent if there never was a response, or if none is stored (`resultTtl: false`). */
  readonly response?: ResponseMetadata & { readonly headers: readonly (readonly [string, string])[] };
  readonly reason?: Reason;
  /** Why the response body was not stored. */
  readonly bodyLost?: 'too large' | 'broken off';
}
