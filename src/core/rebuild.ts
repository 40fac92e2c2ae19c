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
  return withFacts(
    new Response(NULL_BODY.includes(status) ? null : body, { status, statusText, headers }),
    kept,
  );
}

function withFacts(response: Response, { url, type, redirected }: ResponseFacts): Response {
  const kept = { url, type, redirected } as ResponseFacts;
  // Asked of the prototype when it happens: the body may be watched by then.
  const clone = (): Response => withFacts(Object.getPrototypeOf(response).clone.call(response), kept);
  for (const [name, value] of Object.entries({ ...kept, clone }))
    Object.defineProperty(response, name, { value, configurable: true, writable: true });
  return response;
}
