import type { Options } from 'ky';
import { rememberBody } from '../../core/body/request-body.ts';
import type { Fetch } from '../../core/transport.ts';

export type Report = NonNullable<Options['onUploadProgress']>;

/**
 * The same request; its body is counted as it goes over the wire.
 *
 * @param body The value that the request was made from; the size of a stream is unknown.
 */
export function withUploadProgress(request: Request, report: Report, body: unknown): Request {
  if (!request.body) return request;
  const counting = request.body.pipeThrough(counter(report, sizeOf(body)));
  return new Request(request, { body: counting, duplex: 'half' } as RequestInit);
}

/** As in ky, a chunk is reported when the next one comes, and the last one at the end. */
function counter(report: Report, size: number): TransformStream<Uint8Array, Uint8Array> {
  let transferredBytes = 0;
  let last: Uint8Array | undefined;
  const notify = (chunk: Uint8Array, isLast: boolean): void => {
    transferredBytes += chunk.byteLength;
    const percent = isLast ? 1 : Math.min(size && transferredBytes / size, 1 - Number.EPSILON);
    report({ percent, transferredBytes, totalBytes: Math.max(size, transferredBytes) }, chunk);
  };
  return new TransformStream({
    transform(chunk, controller) {
      controller.enqueue(chunk);
      if (last) notify(last, false);
      last = chunk;
    },
    flush() {
      notify(last ?? new Uint8Array(), true);
    },
  });
}

/** A boundary of a form, as browsers make it, in bytes. */
const BOUNDARY = 40;

/** In bytes; about right for a form, 0 if it is unknown. */
function sizeOf(body: unknown): number {
  if (typeof body === 'string' || body instanceof URLSearchParams) return bytesOf(String(body));
  if (body instanceof Blob) return body.size;
  if (body instanceof ArrayBuffer || ArrayBuffer.isView(body)) return body.byteLength;
  if (!(body instanceof FormData)) return 0;
  let size = 0;
  for (const [name, value] of body)
    size += BOUNDARY + bytesOf(`Content-Disposition: form-data; name="${name}"`) + sizeOf(value);
  return size;
}

const bytesOf = (text: string): number => new TextEncoder().encode(text).byteLength;

/** A fetch of the application's own, given a request that has the signal of the attempt, as in ky. */
export const signalled =
  (fetch: Fetch): Fetch =>
  (request, init) =>
    fetch(new Request(request, { signal: init.signal ?? null }), init);

/** Notes the value that a request was made of. Also for its clones: ky sends those of a request that it may repeat. */
export function madeOf(body: unknown, request: Request): Request {
  const clone = (): Request => madeOf(body, Request.prototype.clone.call(request));
  return typeof body === 'string' || body ? rememberBody(Object.assign(request, { clone }), body) : request;
}

/** A request of another realm or class as the platform's own; ky knows it by its tag. */
export function asRequest(given: Request): Request {
  if (given instanceof Request) return given;
  const { url, method, headers, body, signal } = given as Request;
  return new Request(url, { method, headers, body, signal, ...(body && { duplex: 'half' }) } as RequestInit);
}

export const isRequest = (value: unknown): value is Request =>
  value instanceof Request || Object.prototype.toString.call(value) === '[object Request]';
