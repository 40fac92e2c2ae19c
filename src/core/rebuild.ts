/** What a `Response` cannot be told by its constructor and everybody reads. */
export interface ResponseFacts {
  readonly status: number;
  readonly statusText: string;
  readonly url: string;
  readonly type: ResponseType;
  readonly redirected: boolean;
}

export const facts = ({ status, statusText, url, type, redirected }: Response): ResponseFacts => ({
  status,
  statusText,
  url,
  type,
  redirected,
});

/** Fetch, "null body status": a body would be refused. */
const NULL_BODY = [204, 205, 304];

/** A response with other headers or another body that keeps `url`, `type` and `redirected`, in its clones as well. */
export function rebuilt(body: BodyInit | null, kept: ResponseFacts, headers: HeadersInit): Response {
  const { status, statusText } = kept;
  const odd = !isConstructible(kept);
  const init = odd ? { headers } : { status, statusText, headers };
  const { url, type, redirected } = kept;
  const own = {
    url,
    type,
    redirected,
    ...(odd && { status, statusText, ok: status >= 200 && status < 300 }),
  };
  return withFacts(new Response(NULL_BODY.includes(status) ? null : body, init), own);
}

/** What the network may bring and the constructor refuses: 999, a reason in Chinese. */
const isConstructible = ({ status, statusText }: ResponseFacts): boolean =>
  status >= 200 && status <= 599 && /^[\t\x20-\x7e\x80-\xff]*$/.test(statusText);

/** The same response, and its clones, with other facts. */
export function withFacts(response: Response, kept: Partial<ResponseFacts>): Response {
  // Asked of the prototype when it happens: the body may be watched by then.
  const clone = (): Response => withFacts(Object.getPrototypeOf(response).clone.call(response), kept);
  for (const [name, value] of Object.entries({ ...kept, clone }))
    Object.defineProperty(response, name, { value, configurable: true, writable: true });
  return response;
}
