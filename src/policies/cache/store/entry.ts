import type { ResponseMetadata } from '../../../core/body/response.ts';
import { PUBLIC } from '../../../core/contract.ts';
import type { StoredBody } from '../../../core/store.ts';
import { type Freshness, type Times, termsOf } from '../../../http/freshness.ts';
import { isRedirectStatus } from '../../../http/status.ts';
import { hasVariants, matchesVary, type Varying } from '../../../http/vary.ts';

/** A stored response without its body. */
export interface StoredResponse extends Times {
  readonly partition: string;
  readonly url: string;
  readonly response: ResponseMetadata;
  readonly headers: readonly (readonly [string, string])[];
  readonly varying: Varying;
  /** Hash of a small body, to see whether the next response differs. */
  readonly bodyHash?: number | undefined;
}

/** A cache record: the fields that the store decides by, and the response, which may be encrypted. */
export interface CacheRecord {
  readonly schema: typeof SCHEMA;
  /** Bytes of the body as it was read. */
  readonly size: number;
  /** Wall time in ms; written lazily. */
  readonly usedAt: number;
  readonly requestedAt: number;
  /** Something has happened since that may have changed the resource. */
  readonly unconfirmed?: boolean;
  /** A write has changed the resource. */
  readonly invalidated?: boolean;
  readonly response: StoredResponse | Uint8Array<ArrayBuffer>;
}

/** A cached response that was read. */
export interface CachedResponse {
  readonly key: string;
  readonly response: StoredResponse;
  readonly headers: Headers;
  readonly freshness: Freshness;
  readonly size: number;
  readonly unconfirmed: boolean;
  readonly invalidated: boolean;
  /** Of the last use that was written. */
  usedAt: number;
  /** The body, decrypted and complete, if it was read with the record. */
  readonly body?: StoredBody | undefined;
}

/** RFC 8246, 3: only over https, where no proxy can have added it. */
export const isImmutable = ({ freshness, response: stored }: CachedResponse): boolean =>
  freshness.immutable && stored.url.startsWith('https:');

export const SCHEMA = 1;

export function toCachedResponse(
  key: string,
  response: StoredResponse,
  of: Pick<CacheRecord, 'size' | 'usedAt' | 'unconfirmed' | 'invalidated'>,
): CachedResponse {
  const headers = new Headers(response.headers as [string, string][]);
  return {
    key,
    response,
    headers,
    freshness: termsOf(headers, response, {
      ...response.response,
      shared: response.partition === PUBLIC,
    }),
    size: of.size,
    usedAt: of.usedAt,
    unconfirmed: of.unconfirmed === true,
    invalidated: of.invalidated === true,
  };
}

export const isEncrypted = ({ response }: CacheRecord): boolean => response instanceof Uint8Array;

/** Records are listed and counted also if they cannot be decrypted. */
export const isCacheRecord = (value: unknown): value is CacheRecord => {
  const row = value as Partial<CacheRecord> | null;
  return (
    typeof row === 'object' &&
    row?.schema === SCHEMA &&
    areNumbers(row.size, row.usedAt, row.requestedAt) &&
    typeof row.response === 'object'
  );
};

export function isStoredResponse(value: unknown): value is StoredResponse {
  const stored = value as Partial<StoredResponse> | null;
  return (
    typeof stored === 'object' &&
    typeof stored?.url === 'string' &&
    typeof stored.partition === 'string' &&
    areNumbers(stored.requestedAt, stored.receivedAt, stored.response?.status) &&
    [stored.response?.url, stored.response?.type, stored.response?.statusText].every(isText) &&
    Array.isArray(stored.headers) &&
    Array.isArray(stored.varying) &&
    stored.varying.every((pair) => Array.isArray(pair) && typeof pair[0] === 'string')
  );
}

const isText = (value: unknown): boolean => typeof value === 'string';

const areNumbers = (...values: unknown[]): boolean => values.every(Number.isFinite);

/** In bytes; -1 for a text, which is no body of the cache. */
export const bodySize = (body: StoredBody): number =>
  body instanceof Uint8Array ? body.byteLength : body instanceof Blob ? body.size : -1;

/** The begin of the keys of cached responses. */
export const KEY_PREFIX = 'response ';

/**
 * The key prefix of everything, of a partition, or of the variants of a URL; each begins with the one before. Neither an encoded
 * partition nor a URL has a space in it, so prefixes are unique.
 */
export function keyPrefix(partition?: string, url?: string): string {
  if (partition === undefined) return KEY_PREFIX;
  const whole = `${KEY_PREFIX}${encodeURIComponent(partition)} `;
  return url === undefined ? whole : `${whole}${withoutFragment(url)} `;
}

/** The prefixes of a URL, of its partition, and of everything. */
export const keyPrefixes = (partition: string, url: string): string[] => [
  keyPrefix(),
  keyPrefix(partition),
  keyPrefix(partition, url),
];

/** A fragment never reaches the origin. */
const withoutFragment = (url: string): string => url.split('#', 1)[0] as string;

/** The latest of the variants that match a request (RFC 9111, 4). */
export function selectVariant(
  variants: readonly CachedResponse[] | undefined,
  request: Request,
): CachedResponse | undefined {
  let best: CachedResponse | undefined;
  for (const cached of variants ?? []) {
    if (!matchesVary(cached.response.varying, request) || !isAllowed(cached.response, request)) continue;
    if (!best || isMoreRecent(cached, best)) best = cached;
  }
  return best;
}

/** Whether two responses are the same variant. */
export const isSameVariant = (one: StoredResponse, other: StoredResponse): boolean =>
  JSON.stringify(one.varying) === JSON.stringify(other.varying);

/** Whether two responses have the same content, by size and tag, or by the hash of the body. */
export function hasSameContent(one: CachedResponse, other: CachedResponse): boolean {
  const tag = other.headers.get('etag');
  const isSame =
    tag === null ? one.response.bodyHash === other.response.bodyHash : tag === one.headers.get('etag');
  return isSame && one.size === other.size;
}

/** Whether a response that has come is older than a stored one of its variant, which stays. @param now Wall time in ms. */
export function isOutdatedBy(one: CachedResponse, other: CachedResponse, now: number): boolean {
  // It was requested before a write, and the other one after it.
  if (isMarked(one) && !isMarked(other)) return true;
  const { receivedAt, requestedAt } = one.response;
  const at = other.response.receivedAt;
  // Of two that were under way at once the later `Date` counts. A time in the future comes from a wrong clock.
  const isLater = at > receivedAt || (at > requestedAt && other.freshness.date > one.freshness.date);
  return isLater && at <= now;
}

const isMarked = ({ unconfirmed, invalidated }: CachedResponse): boolean => unconfirmed || invalidated;

/** A response with a `Vary` goes before one without (RFC 9111, 4.1); then the later one. */
function isMoreRecent(one: CachedResponse, other: CachedResponse): boolean {
  const hasVary = hasVariants(one.response.varying);
  if (hasVary !== hasVariants(other.response.varying)) return hasVary;
  // A date has no more than seconds.
  const later =
    one.freshness.date - other.freshness.date ||
    one.response.receivedAt - other.response.receivedAt ||
    one.response.requestedAt - other.response.requestedAt;
  return later > 0;
}

/** A response that the platform would reject from the network must not come from the cache. */
const isAllowed = (
  { response: { redirected, type, status } }: StoredResponse,
  { redirect, mode }: Request,
): boolean =>
  !(redirected && redirect !== undefined && redirect !== 'follow') &&
  !(isRedirectStatus(status) && redirect !== 'manual') &&
  !(type === 'cors' && mode === 'same-origin');
