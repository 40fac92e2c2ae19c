import type { StoredBody } from '../../core/store.ts';

/**
 * Tells one write from another (method, URL, body), so that an id which is given to both by mistake is noticed.
 *
 * @returns hexadecimal SHA-256; without the body where there is no Web Crypto (insecure pages) or where the same body
 * never looks the same twice (a form's boundary is random).
 */
export async function fingerprint(request: Request, body: StoredBody | undefined): Promise<string> {
  const head = `${request.method} ${request.url}\n`;
  const { subtle } = globalThis.crypto;
  if (!subtle) return head;
  const varies = request.headers.get('content-type')?.startsWith('multipart/') ?? false;
  const told = varies ? '' : (body ?? '');
  // Text comes by itself much sooner than through a blob.
  const whole =
    typeof told === 'string'
      ? new TextEncoder().encode(head + told)
      : await new Blob([head, told]).arrayBuffer();
  const hash = new Uint8Array(await subtle.digest('SHA-256', whole));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
