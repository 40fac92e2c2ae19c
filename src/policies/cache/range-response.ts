import { createResponse, responseMetadata } from '../../core/body/response.ts';
import { byteRange } from '../../http/range.ts';
import type { Cache, Read } from './cache-context.ts';
import { isImmutable } from './store/entry.ts';

/**
 * Responds to a request for a part from a complete response that is fresh (RFC 9111, 3.3; RFC 9110, 14.2), in the modes in
 * which a fresh one needs no network. All others are the origin's; no part is stored.
 */
export async function rangeResponse(cache: Cache, read: Read): Promise<Response | undefined> {
  const { request, call, wanted, own, isServed } = read;
  if (request.method !== 'GET' || wanted.noStore || wanted.reload) return undefined;
  const cached = await cache.find(read);
  // The bytes of a part are counted in the coding, which the platform has taken off.
  if (cached?.headers.has('content-encoding')) return undefined;
  if (cached?.response.response.status !== 200 || cache.reuse(cached, call, wanted, own) !== 'as-is')
    return undefined;
  if (!isServed && !isImmutable(cached)) return undefined;
  const range = byteRange(request.headers.get('range') ?? '', cached.size);
  const whole = range && (await cache.serve(cached, read));
  if (!whole) return undefined;
  const { first, last } = range;
  const part = (await whole.blob()).slice(first, last + 1, whole.headers.get('content-type') ?? '');
  const headers = new Headers(whole.headers);
  headers.set('content-range', `bytes ${first}-${last}/${cached.size}`);
  headers.set('content-length', `${part.size}`);
  return createResponse(
    part,
    { ...responseMetadata(whole), status: 206, statusText: 'Partial Content' },
    headers,
  );
}
