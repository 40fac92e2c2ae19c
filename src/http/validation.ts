import { httpDate } from './retry-after.ts';
import { keptHeaders } from './storable.ts';
import { isUsableVary, varyingNames } from './vary.ts';

/** The conditions under which a stored response would be confirmed (RFC 9111, 4.3.1); none where it has no validator. */
export function conditionsOf(stored: Headers): [name: string, value: string][] {
  const conditions: [string, string][] = [];
  const tag = stored.get('etag');
  if (tag) conditions.push(['if-none-match', tag]);
  const modified = stored.get('last-modified');
  if (modified && httpDate(modified, 0) !== undefined) conditions.push(['if-modified-since', modified]);
  return conditions;
}

/** Fields that tell one representation from another. */
const REPRESENTATION_HEADERS = ['content-type', 'content-language', 'content-location'];

/**
 * Whether a 304 can speak of this stored response (RFC 9111, 4.3.4).
 *
 * @param known Names of the headers that select the stored response among its variants.
 */
export function validates(stored: Headers, response: Headers, known: readonly string[]): boolean {
  const tag = response.get('etag');
  if (tag !== null && weak(tag) !== weak(stored.get('etag'))) return false;
  if (tag === null && differs('last-modified', stored, response)) return false;
  if (REPRESENTATION_HEADERS.some((name) => differs(name, stored, response))) return false;
  return variesOnlyBy(response, known);
}

/** Whether a response varies by known headers only. */
function variesOnlyBy(response: Headers, known: readonly string[]): boolean {
  const vary = response.get('vary');
  return isUsableVary(vary) && varyingNames(vary).every((name) => known.includes(name));
}

const differs = (name: string, stored: Headers, response: Headers): boolean =>
  response.has(name) && response.get(name) !== stored.get(name);

/** Compared so, because gateways that compress make a tag weak in one response and not in the next. */
const weak = (tag: string | null): string | undefined => tag?.trim().replace(/^W\//, '');

/** They describe the body that is stored, decoded, and not the one that was not sent (RFC 9111, 3.2). */
const OF_THE_BODY = ['content-length', 'content-encoding', 'content-range'];

/** The headers of a stored response after a 304 (RFC 9111, 3.2). */
export function mergeHeaders(stored: Headers, response: Headers): [string, string][] {
  const headers = new Headers(stored);
  // They were those of the stored response, and are not those of the 304.
  headers.delete('age');
  headers.delete('date');
  for (const [name, value] of keptHeaders(response))
    if (!OF_THE_BODY.includes(name)) headers.set(name, value);
  return [...headers];
}

/**
 * The effect of a HEAD on the stored response of a GET (RFC 9111, 4.3.5): that it is the same, that it is
 * another, or nothing.
 *
 * @param known Names of the headers that select the stored response among its variants.
 */
export function compareWithHead(
  stored: Headers,
  head: Headers,
  known: readonly string[],
): 'same' | 'other' | 'nothing' {
  // Of which variant it speaks is not known.
  if (!variesOnlyBy(head, known)) return 'nothing';
  const tag = head.get('etag');
  const length = differs('content-length', stored, head) && !stored.has('content-encoding');
  const isOther = (tag && weak(tag) !== weak(stored.get('etag'))) || differs('last-modified', stored, head);
  if (isOther || length) return 'other';
  return tag || head.has('last-modified') ? 'same' : 'nothing';
}
