/** A request that is made on first read: for a bare URL the platform makes its own. */
export class LazyRequest {
  readonly url: string;
  #request: Request | undefined;

  /** @param request Absent: a GET of the URL and nothing more. */
  constructor(url: string, request?: Request) {
    this.url = url;
    this.#request = request;
  }

  get method(): string {
    return this.#request === undefined ? 'GET' : this.#request.method;
  }

  get isMade(): boolean {
    return this.#request !== undefined;
  }

  get request(): Request {
    this.#request ??= new Request(this.url);
    return this.#request;
  }
}

/** `new URL(url).origin` for the URL of a request, which is in normal form; seldom needs the parser. */
export function originOf(url: string): string {
  if (!url.startsWith('http')) return new URL(url).origin;
  return url.slice(0, url.indexOf('/', url.indexOf(':') + 3));
}

/** `'https://a.example'`, and not the URL of a path. */
export const isOrigin = (key: string): boolean => key.lastIndexOf('/') <= 'https://'.length;

/**
 * Which URLs: anything with `test(url)` (a `URLPattern`, a `RegExp`), a function, or a string: a prefix of the URL, or
 * of its path if it begins with a slash.
 */
export type Match = { test(url: string): boolean } | ((url: URL) => boolean) | string;

export function matches(match: Match, url: string): boolean {
  if (typeof match === 'function') return match(new URL(url));
  // With the flag g or y, a RegExp goes on where it was.
  if (match instanceof RegExp) match.lastIndex = 0;
  if (typeof match === 'object') return match.test(url);
  return (match.startsWith('/') ? new URL(url).pathname : url).startsWith(match);
}
