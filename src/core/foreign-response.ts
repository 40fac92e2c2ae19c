import { facts, rebuilt } from './rebuild.ts';

/** A `Response` of the platform; `undefined` if the value is none and cannot become one. */
export const asResponse = (value: unknown, url: string): Response | undefined =>
  isPlatformsOwn(value) ? value : adopted(value, url);

/** The getter of the platform's class rejects what only looks like a `Response`. */
function isPlatformsOwn(response: unknown): response is Response {
  if (!(response instanceof Response)) return false;
  try {
    return Reflect.get(Response.prototype, 'status', response) !== undefined;
  } catch {
    return false;
  }
}

/** Made from one of another class: of npm's undici, of node-fetch, of another realm. */
function adopted(foreign: unknown, url: string): Response | undefined {
  const { status, headers, body } = (foreign ?? {}) as Partial<Response>;
  if (typeof status !== 'number' || typeof headers?.get !== 'function') return undefined;
  const stream = streamFrom(body);
  if (stream === undefined) return undefined;
  const known = { statusText: '', url, type: 'default', redirected: false } as const;
  const said = Object.entries(facts(foreign as Response)).filter(([, value]) => value !== undefined);
  return rebuilt(stream, { status, ...known, ...Object.fromEntries(said) }, [...headers]);
}

/** node-fetch has streams of Node, which can be iterated. */
function streamFrom(body: unknown): ReadableStream | null | undefined {
  if (body === null) return null;
  if (typeof (body as ReadableStream | undefined)?.getReader === 'function') return body as ReadableStream;
  const { from } = ReadableStream as { from?: (chunks: unknown) => ReadableStream };
  return isIterable(body) ? from?.call(ReadableStream, copied(body)) : undefined;
}

const isIterable = (body: unknown): body is AsyncIterable<Uint8Array> => Symbol.asyncIterator in Object(body);

/** A buffer of Node may be a part of a pool, which is not to be handed on. */
async function* copied(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) yield new Uint8Array(chunk);
}
