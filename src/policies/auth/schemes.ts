import { dropBody } from '../../core/body.ts';
import { within } from '../../core/clock.ts';
import type { Call } from '../../core/contract.ts';
import { NetworkError } from '../../core/errors.ts';
import { withFacts } from '../../core/rebuild.ts';
import { hasBody, keepable, knownSize, withHeader } from '../../core/replay.ts';
import { isRedirectStatus } from '../../http/status.ts';
import { readdressed } from '../elsewhere.ts';
import type { Place } from './crew.ts';
import { AuthError } from './error.ts';

/** How credentials go with a request. */
export interface Scheme {
  /** The caller has put some on. */
  has(request: Request): boolean;
  send(request: Request, secret: string, call: Call, place: Place): Promise<Response>;
}

/** Whether a header can carry it; asked before the platform is, whose error has the value in it. */
export const isSendable = (secret: string): boolean => /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(secret);

/** `Authorization`, which platforms do not carry to another origin (Fetch, "HTTP-redirect fetch", 13). */
export const inAuthorization = (scheme: 'Bearer' | 'Basic'): Scheme => ({
  has: ({ headers }) => headers.has('authorization'),
  send: (request, secret, call, { next }) =>
    next(withHeader(request, 'authorization', `${scheme} ${secret}`), call),
});

/** A header of its own, which platforms carry wherever they are sent. */
export const inHeader = (name: string): Scheme => ({
  has: ({ headers }) => headers.has(name),
  send: (request, secret, call, { next }) =>
    next(withHeader(request, name, secret, unfollowed(request)), call).then((response) =>
      notRedirected(response, request),
    ),
});

/** What keeps a request from following a redirect. What the caller has said of it stands. */
export const unfollowed = ({ redirect }: Request): RequestInit =>
  redirect === 'follow' ? { redirect: 'manual' } : {};

export const isRedirect = ({ type, status, headers }: Response): boolean =>
  type === 'opaqueredirect' || (isRedirectStatus(status) && headers.has('location'));

/**
 * Passes an answer on that redirects nowhere. Browsers do not say where to; so none is followed, the same everywhere.
 *
 * @param given The request as it was: whoever follows redirects in a way of their own sees to it.
 * @throws {AuthError} `redirected`.
 */
export function notRedirected(response: Response, given: Request): Response {
  if (given.redirect !== 'follow' || !isRedirect(response)) return response;
  dropBody(response);
  throw new AuthError({
    code: 'redirected',
    message: 'the origin redirects, and the key must not go along: call the URL that it leads to',
    // A captive portal goes away.
    transient: true,
  });
}

/** A part of the query, which is on no response, no error and no disk. */
export const inQuery = (name: string): Scheme => ({
  has: ({ url }) => new URL(url).searchParams.has(name),
  async send(request, secret, call, { next }) {
    const key = encodeURIComponent(secret);
    const [bare = '', ...fragment] = request.url.split('#');
    const added = `${bare.includes('?') ? '&' : '?'}${encodeURIComponent(name)}=${key}`;
    const url = [bare + added, ...fragment].join('#');
    const body = await within(Infinity, call, bodyOf(request));
    const without = (text: string): string => text.replaceAll(added, '').replaceAll(key, '…');
    try {
      const response = await next(readdressed(request, url, {}, body), call);
      if (!response.url.includes(key)) return response;
      return withFacts(response, { url: without(response.url) });
    } catch (error) {
      if (!(error instanceof NetworkError)) throw error;
      // Without a cause: Deno quotes the URL in each cause, Bun has it in a property.
      const { message, code, category, transient, attempts } = error;
      throw new NetworkError(without(message), { code, category, transient, attempts });
    }
  },
});

/** A body that can be moved to another request; Firefox has no stream to move, but holds it as a whole anyway. */
async function bodyOf(request: Request): Promise<BodyInit | null | undefined> {
  if (!hasBody(request)) return undefined;
  return request.body && knownSize(request) === undefined ? request.body : keepable(request, Infinity);
}

/** RFC 7617, 2.1: UTF-8. */
export const basic = (username: string, password: string): string =>
  btoa(String.fromCharCode(...new TextEncoder().encode(`${username}:${password}`)));
