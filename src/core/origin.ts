/** `new URL(url).origin` for the URL of a request, which is in normal form; seldom needs the parser. */
export function originOf(url: string): string {
  if (!url.startsWith('http')) return new URL(url).origin;
  return url.slice(0, url.indexOf('/', url.indexOf(':') + 3));
}

/** `'https://a.example'`, and not the URL of a path. */
export const isOrigin = (key: string): boolean => key.lastIndexOf('/') <= 'https://'.length;
