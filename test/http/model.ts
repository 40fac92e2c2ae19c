/**
 * The rules of RFC 9111, RFC 5861 and fetch's cache modes for one cached response and one request, written from their text and not from
 * the code under test. Where they leave a choice it is the one that `docs/http-caching.md` says. Times in ms.
 */
export interface Situation {
  readonly stored: {
    readonly status: number;
    readonly redirected: boolean;
    readonly headers: [string, string][];
    readonly requestedAt: number;
    readonly receivedAt: number;
  };
  readonly request: { readonly headers: [string, string][]; readonly cache: RequestCache };
  readonly now: number;
  readonly allowed: {
    readonly maxStale: number;
    readonly whileRevalidating: number;
    readonly disregard: ('no-cache' | 'must-revalidate')[];
  };
  readonly unconfirmed: boolean;
  readonly invalidated: boolean;
}

type Fields = readonly (readonly [string, string])[];

/** As `Headers` puts lines together. */
const field = (fields: Fields, name: string): string | undefined => {
  const lines = fields.filter(([each]) => each.toLowerCase() === name).map(([, value]) => value.trim());
  return lines.length > 0 ? lines.join(', ') : undefined;
};

/** RFC 9110, 5.6.1: members of a list; a comma in a quoted string is no end of one. */
function members(list: string): string[] {
  const found = [''];
  let quoted = false;
  for (let at = 0; at < list.length; at++) {
    const char = list[at] as string;
    if (char === '"') quoted = !quoted;
    if (char === ',' && !quoted) found.push('');
    else found[found.length - 1] += char;
    if (quoted && char === '\\') found[found.length - 1] += list[++at] ?? '';
  }
  return found.map((member) => member.trim()).filter((member) => member !== '');
}

/** RFC 9111, 5.2: every argument of a directive, in order; `undefined` is none. */
function argumentsOf(fields: Fields, directive: string): (string | undefined)[] {
  const all = members(field(fields, 'cache-control') ?? '').map((member) => {
    const [name = '', ...rest] = member.split('=');
    const argument = rest.length > 0 ? rest.join('=') : undefined;
    return { name: name.toLowerCase(), argument };
  });
  return all.filter(({ name }) => name === directive).map(({ argument }) => unquoted(argument));
}

const unquoted = (text: string | undefined): string | undefined =>
  text?.startsWith('"') ? text.slice(1, -1).replaceAll('\\', '') : text;

const has = (fields: Fields, directive: string): boolean => argumentsOf(fields, directive).length > 0;

/** RFC 9111, 1.2.2; one that is none is 0, which is stale (4.2.1), and of several the first counts. */
function delta(fields: Fields, directive: string): number | undefined {
  if (!has(fields, directive)) return undefined;
  return (whole(argumentsOf(fields, directive)[0] ?? '') ?? 0) * 1000;
}

const DIGITS = '0123456789';

function whole(text: string): number | undefined {
  if (text === '' || [...text].some((char) => !DIGITS.includes(char))) return undefined;
  return Math.min(Number.parseInt(text, 10), 2147483648);
}

/** RFC 9110, 5.6.7: `Sun, 06 Nov 1994 08:49:37 GMT`, `Sunday, 06-Nov-94 08:49:37 GMT`, `Sun Nov  6 08:49:37 1994`. */
function instant(text: string, now: number): number | undefined {
  const words = text
    .toLowerCase()
    .split(/[ ,-]/)
    .filter((word) => word !== '');
  // Two lines of which one is empty are a list, and no date.
  if (text.trim().endsWith(',') || text.trim().startsWith(',')) return undefined;
  const isDate = (words.length === 5 && !text.includes(',')) || (words.length === 6 && words[5] === 'gmt');
  if (!isDate) return undefined;
  const [day, month, year, time] =
    words.length === 5 ? [words[2], words[1], words[4], words[3]] : [words[1], words[2], words[3], words[4]];
  const named = ['jan', 'feb', 'mar', 'apr', 'may', 'jun', 'jul', 'aug', 'sep', 'oct', 'nov', 'dec'];
  const [hours, minutes, seconds] = (time ?? '').split(':').map(Number);
  const at = (full: number): number =>
    Date.UTC(full, named.indexOf(month ?? ''), Number(day), hours, minutes, seconds);
  if (year?.length === 4) return at(Number(year));
  const later = at(2000 + Number(year));
  return new Date(later).getUTCFullYear() > new Date(now).getUTCFullYear() + 50
    ? at(1900 + Number(year))
    : later;
}

/** RFC 9111, 4.2.1. */
function lifetimeOf({ stored }: Situation): number {
  const { headers, receivedAt, redirected, status } = stored;
  if (redirected) return 0;
  const maxAge = delta(headers, 'max-age');
  if (maxAge !== undefined) return maxAge;
  const date = instant(field(headers, 'date') ?? '', receivedAt) ?? receivedAt;
  const expires = field(headers, 'expires');
  if (expires !== undefined) return Math.max(0, (instant(expires, receivedAt) ?? date) - date);
  // RFC 9110, 15.1.
  const isHeuristic = [200, 203, 204, 206, 300, 301, 308, 404, 405, 410, 414, 501].includes(status);
  if (!isHeuristic) return 0;
  const modified = instant(field(headers, 'last-modified') ?? '', receivedAt) ?? date;
  return Math.min(Math.max(0, (date - modified) * 0.1), 24 * 60 * 60 * 1000);
}

/** RFC 9111, 4.2.3, with its own names. */
function currentAge({ stored, now }: Situation): number {
  const { headers, requestedAt: request_time, receivedAt: response_time } = stored;
  const age_value = (whole(members(field(headers, 'age') ?? '')[0] ?? '') ?? 0) * 1000;
  const date_value = instant(field(headers, 'date') ?? '', response_time) ?? response_time;
  const apparent_age = Math.max(0, response_time - date_value);
  const response_delay = response_time - request_time;
  const corrected_age_value = age_value + response_delay;
  const corrected_initial_age = Math.max(apparent_age, corrected_age_value);
  // A clock that was set back makes nothing younger.
  const resident_time = Math.max(0, now - response_time);
  return Math.max(0, corrected_initial_age) + resident_time;
}

/** The best reuse of a cached response that is allowed. */
export function modelOfReuse(situation: Situation) {
  const { stored, request, unconfirmed, invalidated } = situation;
  const allowed = { ...situation.allowed, ...(invalidated && { disregard: [] as string[] }) };
  const { headers: said, status } = stored;
  const { headers: asked, cache } = request;
  const age = currentAge(situation);
  const staleness = age - lifetimeOf(situation);
  const isLasting = [200, 203, 300, 301, 308].includes(status);

  const hasPragma =
    field(asked, 'cache-control') === undefined && /no-cache/i.test(field(asked, 'pragma') ?? '');
  const insists = ['no-cache', 'reload'].includes(cache) || has(asked, 'no-cache') || hasPragma;
  if (insists) return 'when-confirmed';
  const takesAny = ['force-cache', 'only-if-cached'].includes(cache);
  if (takesAny && !invalidated && (isLasting || staleness < 0)) return 'as-is';

  // Several that differ in any way are the strictest of all.
  const fields = new Set(argumentsOf(said, 'no-cache'));
  const isOfCookies = fields.size === 1 && [...fields][0]?.toLowerCase() === 'set-cookie';
  const isNoCache = fields.size > 0 && !isOfCookies;
  if (isNoCache && !allowed.disregard.includes('no-cache')) return 'when-confirmed';
  const mustValidate = has(said, 'must-revalidate') && !allowed.disregard.includes('must-revalidate');
  const mayBeStale = isLasting && !mustValidate;
  const isCertain = !unconfirmed && !invalidated && !isNoCache;

  const maxStale = argumentsOf(asked, 'max-stale')[0] ? (delta(asked, 'max-stale') as number) : Infinity;
  const takesStale = has(asked, 'max-stale');
  const isYoung = age <= (delta(asked, 'max-age') ?? Infinity);
  const minFresh = delta(asked, 'min-fresh') ?? 0;

  if (isCertain && staleness < 0)
    return (isYoung || takesStale) && -staleness >= minFresh ? 'as-is' : 'on-error';
  if (!mayBeStale) return 'when-confirmed';
  if (isCertain && takesStale && staleness <= maxStale) return 'as-is';
  const behind = delta(said, 'stale-while-revalidate') ?? allowed.whileRevalidating;
  if (isCertain && isYoung && minFresh === 0 && staleness < behind) return 'while-revalidating';
  const limits = [delta(said, 'stale-if-error'), delta(asked, 'stale-if-error')].filter(
    (each) => each !== undefined,
  );
  const instead = limits.length > 0 ? Math.min(...limits) : allowed.maxStale;
  return Math.max(0, staleness) <= instead ? 'on-error' : 'when-confirmed';
}

/** RFC 9111, 4.1. */
export function modelOfVary(vary: string | undefined, one: Fields, other: Fields): boolean {
  const names = members((vary ?? '').toLowerCase());
  // The partition covers the user.
  const counted = names.filter((name) => !['cookie', 'authorization', 'proxy-authorization'].includes(name));
  return counted.every((name) => sentFor(one, name) === sentFor(other, name));
}

function sentFor(fields: Fields, name: string): string | undefined {
  const value = field(fields, name);
  if (value === undefined || value.includes('"')) return value;
  const parts = value.split(',').map((part) => part.trim());
  const isCaseless = ['accept-language', 'accept-encoding', 'accept-charset'].includes(name);
  return isCaseless ? parts.join().toLowerCase() : parts.join();
}
