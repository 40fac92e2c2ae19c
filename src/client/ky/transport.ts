import type { Fetch } from '../../core/transport.ts';

/** A fetch of the application's own, given a request that has the signal of the attempt, as in ky. */
export const signalled =
  (fetch: Fetch): Fetch =>
  (request, init) =>
    fetch(new Request(request, { signal: init.signal ?? null }), init);

/** A request of another realm or class as the platform's own; ky knows it by its tag. */
export function asRequest(given: Request): Request {
  if (given instanceof Request) return given;
  const { url, method, headers, body, signal } = given as Request;
  return new Request(url, { method, headers, body, signal, ...(body && { duplex: 'half' }) } as RequestInit);
}

export const isRequest = (value: unknown): value is Request =>
  value instanceof Request || Object.prototype.toString.call(value) === '[object Request]';
