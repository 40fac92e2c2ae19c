import { dropBody } from '../../core/body/body.ts';
import { hasBody, knownSize, readStorableBody, withHeader } from '../../core/body/request-body.ts';
import { withMetadata } from '../../core/body/response.ts';
import { NetworkError } from '../../core/errors.ts';
import type { Run } from '../../core/stage.ts';
import { isRedirectStatus } from '../../http/status.ts';
import { retarget } from '../retarget.ts';
import { AuthError } from './error.ts';

/** How credentials go with a request. */
export interface Scheme {
  /** The caller has put some on. */
  has(request: Request): boolean;
  /** The request with the secret. */
  sign(request: Request, secret: string, run: Run): Request | Promise<Request>;
  /** The response as the application may see it. @param given The request without the secret. */
  received?(response: Response, given: Request, secret: string): Response;
  /** The error, likewise. */
  failed?(error: unknown, given: Request, secret: string): unknown;
}

/** Whether a header can carry it; checked first, as the platform's error would show the value. */
export const isSendable = (secret: string): boolean => /^[\x21-\x7e]([\x20-\x7e]*[\x21-\x7e])?$/.test(secret);

/** `Authorization`, which platforms do not carry to another origin (Fetch, "HTTP-redirect fetch", 13). */
export const inAuthorization = (scheme: 'Bearer' | 'Basic'): Scheme => ({
  has: ({ headers }) => headers.has('authorization'),
  sign: (request, secret) => withHeader(request, 'authorization', `${scheme} ${secret}`),
});

/** A header of its own, which platforms carry wherever they are sent. */
export const inHeader = (name: string): Scheme => ({
  has: ({ headers }) => headers.has(name),
  sign: (request, secret) => withHeader(request, name, secret, unfollowed(request)),
  received: notRedirected,
});

/** Keeps a request from following redirects, unless the caller has set `redirect`. */
export const unfollowed = ({ redirect }: Request): RequestInit =>
  redirect === 'follow' ? { redirect: 'manual' } : {};

export const isRedirect = ({ type, status, headers }: Response): boolean =>
  type === 'opaqueredirect' || (isRedirectStatus(status) && headers.has('location'));

/**
 * Passes on a response that is no redirect. Browsers hide its target, so none is followed on any platform.
 *
 * @param given The request as it was: an application that follows redirects itself handles them.
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
export function inQuery(name: string): Scheme {
  const pairOf = (secret: string): string => `${encoded(name)}=${encoded(secret)}`;
  const withoutPair = (text: string, secret: string): string => {
    const pair = pairOf(secret);
    return text.replaceAll(`?${pair}&`, '?').replaceAll(`?${pair}`, '').replaceAll(`&${pair}`, '');
  };
  // An origin that redirects may write it in another way.
  const without = (text: string, secret: string): string =>
    withoutPair(text, secret).replaceAll(encoded(secret), '…').replaceAll(secret, '…');
  return {
    has: ({ url }) => new URL(url).searchParams.has(name),
    sign(request, secret, run) {
      const [bare = '', ...fragment] = request.url.split('#');
      const url = [`${bare}${bare.includes('?') ? '&' : '?'}${pairOf(secret)}`, ...fragment].join('#');
      if (!hasBody(request)) return retarget(request, url, {});
      return run.wait(Infinity, bodyOf(request)).then((body) => retarget(request, url, {}, body));
    },
    received(response, _, secret) {
      // Pages of a list are often linked with the whole query.
      const given = [...response.headers];
      const headers = given.map(([field, value]): [string, string] => [field, withoutPair(value, secret)]);
      const isShown = headers.some(([, value], at) => value !== given[at]?.[1]);
      const url = without(response.url, secret);
      return withMetadata(response, { url, ...(isShown && { headers: new Headers(headers) }) });
    },
    failed(error, _, secret) {
      if (!(error instanceof NetworkError)) return error;
      // Without a cause: Deno quotes the URL in each cause, Bun has it in a property.
      const { message, code, category, transient, attempts } = error;
      return new NetworkError(without(message, secret), { code, category, transient, attempts });
    },
  };
}

/** As it stands in a URL: platforms encode an apostrophe in a query, too. */
const encoded = (text: string): string => encodeURIComponent(text).replaceAll("'", '%27');

/** A body that can be moved to another request; Firefox has no stream to move, but holds it as a whole anyway. */
async function bodyOf(request: Request): Promise<BodyInit | null> {
  return request.body && knownSize(request) === undefined
    ? request.body
    : readStorableBody(request, Infinity);
}

/** RFC 7617, 2.1: UTF-8. */
export const basic = (username: string, password: string): string =>
  btoa(String.fromCharCode(...new TextEncoder().encode(`${username}:${password}`)));
