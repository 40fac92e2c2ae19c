import { CREDENTIALS } from './credentials.ts';

/** The values of the request's headers that a response varies by; a missing header is `null`. */
export type Varying = readonly (readonly [name: string, value: string | null])[];

/** Not a header, so no origin names it: a request with `credentials: 'omit'` gets the response for a stranger. */
const CREDENTIALLESS = '(credentials)';

/** The names in a `Vary`, in order, each once. Without credentials: the partition covers the user, and tokens change. */
export const varyingNames = (vary: string | null, also: readonly string[] = []): string[] => {
  const names = [...(vary ?? '').toLowerCase().split(','), ...also].map((name) => name.trim());
  return [...new Set(names.filter((name) => isName(name) && !CREDENTIALS.includes(name)))].sort();
};

/** Whether a `Vary` names headers: `*` and malformed names do not. */
export const isUsableVary = (vary: string | null): boolean =>
  (vary ?? '').split(',').every((name) => name.trim() === '' || isName(name.trim()));

const isName = (name: string): boolean => name !== '*' && /^[\w!#$%&'*+.^`|~-]+$/.test(name);

/**
 * @param vary The response's `Vary`, which is hidden across origins unless it is exposed.
 * @param also The application's `vary` option.
 */
export function varying(vary: string | null, request: Request, also: readonly string[] = []): Varying {
  const names = varyingNames(vary, also);
  const values = names.map((name) => [name, headerValue(request, name)] as const);
  return omitsCredentials(request) ? [...values, [CREDENTIALLESS, 'omit']] : values;
}

/** Whether headers select a response among variants. */
export const hasVariants = (stored: Varying): boolean => stored.some(([name]) => name !== CREDENTIALLESS);

/** RFC 9111, 4.1: a stored response is for requests with the same values. */
export const matchesVary = (stored: Varying, request: Request): boolean =>
  stored.every(([name, value]) => name === CREDENTIALLESS || headerValue(request, name) === value) &&
  omitsCredentials(request) === stored.some(([name]) => name === CREDENTIALLESS);

/** Whether the platform sends no credentials; where pages have no origin there are none to be sent. */
function omitsCredentials({ credentials, url }: Request): boolean {
  const here = globalThis.location?.origin;
  return (
    credentials === 'omit' ||
    (credentials === 'same-origin' && here !== undefined && here !== new URL(url).origin)
  );
}

const headerValue = (request: Request, name: string): string | null =>
  normal(name, request.headers.get(name));

const CASELESS = ['accept-charset', 'accept-encoding', 'accept-language'];

/** White space around list members says nothing (but in quotes), and in some fields neither does case. */
function normal(name: string, value: string | null): string | null {
  const members = value?.split(',').map((member) => member.trim());
  const spaced = value?.includes('"') ? value : (members?.join(', ') ?? null);
  return CASELESS.includes(name) ? (spaced?.toLowerCase() ?? null) : spaced;
}
