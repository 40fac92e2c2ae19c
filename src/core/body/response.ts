/** Properties of a `Response` that its constructor cannot set. */
export interface ResponseMetadata {
  readonly status: number;
  readonly statusText: string;
  readonly url: string;
  readonly type: Response['type'];
  readonly redirected: boolean;
}

export const responseMetadata = ({
  status,
  statusText,
  url,
  type,
  redirected,
}: Response): ResponseMetadata => ({
  status,
  statusText,
  url,
  type,
  redirected,
});

/** Fetch, "null body status": the constructor rejects a body. */
const NULL_BODY = [204, 205, 304];

/** What a platform decodes as it receives a body; the headers stay as they came. */
const DECODED = /^\s*(x-)?(gzip|br|deflate|zstd)\b/i;

/** The headers of a body that was decoded: a platform that sends it on would name a coding and a length that it has not. */
function headersOfDecoded(init: HeaderFields): HeaderFields {
  const given = init instanceof Headers ? init : new Headers(init);
  if (!DECODED.test(given.get('content-encoding') ?? '')) return given;
  const headers = new Headers(given);
  headers.delete('content-encoding');
  headers.delete('content-length');
  return headers;
}

// From the platform's classes: not all type libraries export these.
type Body = ConstructorParameters<typeof Response>[0];
type HeaderFields = NonNullable<ConstructorParameters<typeof Headers>[0]>;

/** A response with other headers or another body that keeps `url`, `type` and `redirected`, in its clones as well. */
export function createResponse(body: Body, kept: ResponseMetadata, headers: HeaderFields): Response {
  const { status, statusText } = kept;
  const isPlain = hasConstructibleStatus(kept);
  const isText = /^[\t\x20-\x7e\x80-\xff]*$/.test(statusText);
  const init = {
    headers: body === null ? headers : headersOfDecoded(headers),
    ...(isPlain && { status }),
    ...(isText && { statusText }),
  };
  const { url, type, redirected } = kept;
  const own = {
    url,
    type,
    redirected,
    ...(!isPlain && { status, ok: false }),
    ...(!isText && { statusText }),
  };
  return withMetadata(new Response(NULL_BODY.includes(status) ? null : body, init), own);
}

/** The network may bring a status that the constructor rejects, such as 999. */
export const hasConstructibleStatus = ({ status }: { readonly status: number }): boolean =>
  status >= 200 && status <= 599;

/** The same response, and its clones, with other metadata or, for scripts, other headers. */
export function withMetadata(
  response: Response,
  kept: Partial<ResponseMetadata & Pick<Response, 'headers'>>,
): Response {
  const names = (Object.keys(kept) as (keyof typeof kept)[]).filter((name) => kept[name] !== response[name]);
  if (names.length === 0) return response;
  const own = (name: string, value: unknown) =>
    Object.defineProperty(response, name, { value, configurable: true, writable: true });
  for (const name of names) own(name, kept[name]);
  // Looked up at the time of the call: the body may be watched by then.
  own('clone', () => withMetadata(Object.getPrototypeOf(response).clone.call(response), kept));
  return response;
}

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
