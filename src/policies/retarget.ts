import { rememberBody } from '../core/body/request-body.ts';
import { CREDENTIALS } from '../http/credentials.ts';
import { ConfigurationError } from '../primitives/failure.ts';
import { originOf } from '../primitives/request.ts';
import type { Rule } from '../primitives/validate.ts';

/**
 * The same request to another origin: same method, path, query, headers and body.
 *
 * Credentials go only to the request's own origin and to those in `credentialsFor`: for others, `Authorization`,
 * `Proxy-Authorization` and `Cookie` are left out, and `credentials: 'include'` becomes `'same-origin'`. A secret in a
 * header of the application's own (`X-Api-Key`) or in the URL cannot be recognised.
 *
 * @param body The body to send; that of `request` may have been read.
 */
export function retargetOrigin(
  request: Request,
  origin: string,
  credentialsFor: readonly string[],
  body?: BodyInit | null,
): Request {
  const own = originOf(request.url);
  if (origin === own && body === undefined) return request;
  const url = origin + request.url.slice(own.length);
  if (origin === own || credentialsFor.includes(origin)) return retarget(request, url, {}, body);
  const headers = new Headers(request.headers);
  for (const name of CREDENTIALS) headers.delete(name);
  const { credentials } = request;
  return retarget(
    request,
    url,
    { headers, ...(credentials === 'include' && { credentials: 'same-origin' }) },
    body,
  );
}

/** The same request to another URL. @param body The body to send; that of `request` may have been read. */
export function retarget(
  request: Request,
  url: string,
  changes: RequestInit,
  body?: BodyInit | null,
): Request {
  let { mode } = request;
  // Only the browser itself navigates.
  if (mode === 'navigate') mode = 'same-origin';
  const { method, headers, credentials, cache, redirect, referrer, referrerPolicy, integrity, keepalive } =
    request;
  const init: RequestInit & Record<string, unknown> = {
    mode,
    credentials,
    cache,
    redirect,
    referrerPolicy,
    integrity,
    keepalive,
    ...changes,
  };
  // Runtimes that do not know a field throw, or leave it out.
  for (const name in init) if (!init[name]) delete init[name];
  // `about:client` means the page, and is no URL; an empty referrer means that none is sent.
  if (referrer !== undefined && referrer !== 'about:client') init.referrer = referrer;
  if (body instanceof ReadableStream) init.duplex = 'half';
  return rememberBody(
    new Request(url, { headers: new Headers(headers), ...init, method, body: body ?? null, signal: null }),
    body,
  );
}

/** `'https://api.example.com'`: an origin as of `new URL(url).origin`, with at most a slash behind it. */
export const origin: Rule<string> = (value, option) => {
  const url = typeof value === 'string' && URL.canParse(value) ? new URL(value) : undefined;
  if (url && /^https?:$/.test(url.protocol) && url.href === `${url.origin}/` && !/[?#]/.test(value as string))
    return url.origin;
  throw new ConfigurationError(option, value, "expected an origin such as 'https://api.example.com'");
};

/** At least two different origins. */
export const origins: Rule<string[]> = (value, option) => {
  if (!Array.isArray(value)) throw new ConfigurationError(option, value, 'expected a list of origins');
  const read = value.map((each) => origin(each, option));
  if (read.length >= 2 && new Set(read).size === read.length) return read;
  throw new ConfigurationError(option, value, 'expected at least two origins, each once');
};
