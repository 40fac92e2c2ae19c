import type { StoredBody } from '../../core/store.ts';

/**
 * Distinguishes writes by method, URL and body, so that an id that is reused by mistake is noticed.
 *
 * @returns hexadecimal SHA-256; without the body if there is no Web Crypto (insecure pages) or if the same body differs each time
 * (the boundary of a form is random).
 */
export async function fingerprint(request: Request, body: StoredBody | undefined): Promise<string> {
  const head = `${request.method} ${request.url}\n`;
  const { subtle } = globalThis.crypto;
  if (!subtle) return head;
  const varies = request.headers.get('content-type')?.startsWith('multipart/') ?? false;
  const contents = varies ? '' : (body ?? '');
  // Encoding text is much faster than a blob.
  const whole =
    typeof contents === 'string'
      ? new TextEncoder().encode(head + contents)
      : await new Blob([head, contents]).arrayBuffer();
  const hash = new Uint8Array(await subtle.digest('SHA-256', whole));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
