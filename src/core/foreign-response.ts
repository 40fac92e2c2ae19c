import { createResponse } from './response.ts';

/** A `Response` of the platform; `undefined` if the value is none and cannot become one. */
export function asResponse(value: unknown, url: string): Response | undefined {
  try {
    // The getter of the platform's class rejects what only looks like a `Response`.
    if (Reflect.get(Response.prototype, 'status', value) !== undefined) return value as Response;
  } catch {}
  return adopted(value, url);
}

/** Made from one of another class: of npm's undici, of node-fetch, of another realm. */
function adopted(foreign: unknown, requested: string): Response | undefined {
  const {
    status,
    statusText = '',
    url = requested,
    type = 'default',
    redirected = false,
    headers,
    body,
  } = Object(foreign) as Partial<Response>;
  const stream = streamFrom(body);
  if (typeof status !== 'number' || !headers?.get || stream === undefined) return undefined;
  return createResponse(stream, { status, statusText, url, type, redirected }, [...headers]);
}

/** node-fetch has streams of Node, which can be iterated. */
function streamFrom(body: unknown): ReadableStream | null | undefined {
  if (body === null || (body as ReadableStream | undefined)?.getReader) return body as ReadableStream | null;
  return Symbol.asyncIterator in Object(body)
    ? (ReadableStream as { from?(chunks: unknown): ReadableStream }).from?.(
        copied(body as AsyncIterable<Uint8Array>),
      )
    : undefined;
}

/** A buffer of Node may be a part of a pool, which is not to be handed on. */
async function* copied(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) yield new Uint8Array(chunk);
}
