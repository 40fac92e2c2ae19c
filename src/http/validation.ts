import { httpDate } from './retry-after.ts';
import { keptHeaders } from './storable.ts';
import { namesAll, varyingNames } from './vary.ts';

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
const TELLING = ['content-type', 'content-language', 'content-location'];

/**
 * Whether a 304 can speak of this stored response (RFC 9111, 4.3.4).
 *
 * @param known Names of the headers by which the stored response was told from other variants.
 */
export function confirms(stored: Headers, answer: Headers, known: readonly string[]): boolean {
  const tag = answer.get('etag');
  if (tag !== null && weak(tag) !== weak(stored.get('etag'))) return false;
  if (tag === null && differs('last-modified', stored, answer)) return false;
  if (TELLING.some((name) => differs(name, stored, answer))) return false;
  return isTold(answer, known);
}

/** Whether an answer varies by nothing else than what is known. */
function isTold(answer: Headers, known: readonly string[]): boolean {
  const vary = answer.get('vary');
  return namesAll(vary) && varyingNames(vary).every((name) => known.includes(name));
}

const differs = (name: string, stored: Headers, answer: Headers): boolean =>
  answer.has(name) && answer.get(name) !== stored.get(name);

/** Compared so, because gateways that compress make a tag weak in one answer and not in the next. */
const weak = (tag: string | null): string | undefined => tag?.trim().replace(/^W\//, '');

/** They describe the body that is stored, decoded, and not the one that was not sent (RFC 9111, 3.2). */
const OF_THE_BODY = ['content-length', 'content-encoding', 'content-range'];

/** The headers of a stored response after an answer that confirms it (RFC 9111, 3.2). */
export function freshened(stored: Headers, answer: Headers): [string, string][] {
  const headers = new Headers(stored);
  // They were those of the copy, and are not those of the answer.
  headers.delete('age');
  headers.delete('date');
  for (const [name, value] of keptHeaders(answer)) if (!OF_THE_BODY.includes(name)) headers.set(name, value);
  return [...headers];
}

/**
 * What the answer to a HEAD says of the stored response of a GET (RFC 9111, 4.3.5): that it is the same, that it is
 * another, or nothing.
 *
 * @param known Names of the headers by which the stored response was told from other variants.
 */
export function saidByHead(
  stored: Headers,
  head: Headers,
  known: readonly string[],
): 'same' | 'other' | 'nothing' {
  // Of which variant it speaks is not known.
  if (!isTold(head, known)) return 'nothing';
  const tag = head.get('etag');
  const length = differs('content-length', stored, head) && !stored.has('content-encoding');
  const isOther = (tag && weak(tag) !== weak(stored.get('etag'))) || differs('last-modified', stored, head);
  if (isOther || length) return 'other';
  return tag || head.has('last-modified') ? 'same' : 'nothing';
}
