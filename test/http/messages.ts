/** Wall time of these tests, in ms. */
export const AT = Date.UTC(2026, 0, 1);

export const date = (ms: number): string => new Date(ms).toUTCString();

export interface Sent {
  readonly url?: string;
  readonly method?: string;
  readonly headers?: HeadersInit;
  readonly cache?: RequestCache;
  readonly credentials?: RequestCredentials;
}

/** A request as any platform may make it: each refuses some modes, headers and credentials that others have. */
export function requestOf({
  url = 'https://example.com/',
  method = 'GET',
  headers,
  ...sent
}: Sent = {}): Request {
  return withFacts(new Request(url, { method }), {
    headers: new Headers(headers),
    cache: 'default',
    credentials: 'include',
    ...sent,
  });
}

export interface ResponseFields {
  readonly status?: number;
  readonly headers?: HeadersInit;
  readonly url?: string;
  readonly redirected?: boolean;
  readonly type?: ResponseType;
}

/** A response as the network may bring it: the constructor drops cookies and knows no redirects. */
export function responseOf({ status = 200, headers, ...answered }: ResponseFields = {}): Response {
  return withFacts(new Response(null, { status }), { headers: new Headers(headers), ...answered });
}

function withFacts<T extends Request | Response>(message: T, own: Partial<T>): T {
  for (const [name, value] of Object.entries(own)) Object.defineProperty(message, name, { value });
  return message;
}
