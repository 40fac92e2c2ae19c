import { SAFE_METHODS } from './idempotency.ts';

/** What is not known to change nothing may change something. QUERY: draft-ietf-httpbis-safe-method-w-body. */
export const isSafe = (method: string): boolean => SAFE_METHODS.includes(method) || method === 'QUERY';

/**
 * The URLs whose copies are wrong after a write (RFC 9111, 4.4): its own, where redirects led it, and those that its
 * answer names, where they are of the same origin.
 */
export function invalidatedBy(request: Request, response: Response): string[] {
  // Where nothing redirected it, another URL is that of a mirror.
  const base = (response.redirected && response.url) || request.url;
  const urls = new Set([request.url, base]);
  for (const field of ['location', 'content-location']) {
    const named = response.headers.get(field);
    if (!named || !URL.canParse(named, base)) continue;
    const url = new URL(named, base);
    if (url.origin === new URL(base).origin) urls.add(url.href);
  }
  return [...urls];
}
