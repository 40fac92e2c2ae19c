import { isRedirectStatus } from '../../http/status.ts';
import { isTold, variesLike } from '../../http/vary.ts';
import type { Copy, Held } from './copy.ts';

/** Of the variants that answer a request, the latest (RFC 9111, 4). */
export function chosen(variants: readonly Held[] | undefined, request: Request): Held | undefined {
  let best: Held | undefined;
  for (const held of variants ?? []) {
    if (!variesLike(held.copy.varying, request) || !isAllowed(held.copy, request)) continue;
    if (!best || isBetter(held, best)) best = held;
  }
  return best;
}

/** Whether two are copies of the same variant. */
export const isSame = (one: Copy, other: Copy): boolean =>
  JSON.stringify(one.varying) === JSON.stringify(other.varying);

/** Whether two answers are the same, as far as their sizes and tags tell, or else what is known of their bodies. */
export function isEqual(held: Held, copy: Copy, size: number): boolean {
  if (held.size !== size) return false;
  const tag = new Headers(copy.headers as [string, string][]).get('etag');
  return tag === null ? copy.print === held.copy.print : tag === held.headers.get('etag');
}

/** One that is told from others goes before one that was stored when nothing was said of variants (RFC 9111, 4.1). */
function isBetter(one: Held, other: Held): boolean {
  const told = isTold(one.copy.varying);
  if (told !== isTold(other.copy.varying)) return told;
  // A date has no more than seconds.
  const later =
    one.terms.date - other.terms.date ||
    one.copy.receivedAt - other.copy.receivedAt ||
    one.copy.requestedAt - other.copy.requestedAt;
  return later > 0;
}

/** What the platform would refuse from the network it may not get from here. */
const isAllowed = ({ response: { redirected, type, status } }: Copy, { redirect, mode }: Request): boolean =>
  !(redirected && redirect !== undefined && redirect !== 'follow') &&
  !(isRedirectStatus(status) && redirect !== 'manual') &&
  !(type === 'cors' && mode === 'same-origin');
