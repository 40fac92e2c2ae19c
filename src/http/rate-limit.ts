import { retryAfter, untilDate } from './retry-after.ts';
import { listOfItems } from './structured-fields.ts';

/** No field of so many characters names the quotas of one client. */
const LONGEST = 1_000;

/** Seconds that a response names, in ms; a cached response has used up its `Age` of them. */
const left = (seconds: number, headers: Headers): number =>
  Math.max(0, (seconds - (Number(headers.get('age')) || 0)) * 1000);

/**
 * How long the origin wants no further call, where it says that none remains: from `RateLimit-Remaining` and `-Reset`, else
 * from the same with `X-RateLimit` and `X-Rate-Limit`, whose reset is seconds, or the epoch's seconds or milliseconds where it
 * is that large.
 *
 * An instant is measured against the response's own `Date`, seconds against its `Age`.
 *
 * @param now Wall time in ms.
 * @param isLimited The status says that nothing remains, so a field for that may be missing.
 * @returns milliseconds from now, never negative; `undefined` where calls remain, or nothing understandable was said.
 */
export function rateLimitReset(headers: Headers, now: number, isLimited = false): number | undefined {
  for (const name of ['ratelimit', 'x-ratelimit', 'x-rate-limit']) {
    const wait = isLimited ? retryAfter(headers, now, `${name}-retry-after`) : undefined;
    if (wait !== undefined) return wait;
    const reset = headers.get(`${name}-reset`) ?? '';
    const remaining = headers.get(`${name}-remaining`) ?? (isLimited ? '0' : '');
    if (!/^0+$/.test(remaining) || !/^\d+(\.\d+)?$/.test(reset)) continue;
    const figure = Number(reset);
    // A quota of 30 years is none.
    if (figure <= 1e9) return left(figure, headers);
    return untilDate(figure > 1e12 ? figure : figure * 1000, headers, now);
  }
  return undefined;
}

/**
 * The same, from the structured `RateLimit` (draft-ietf-httpapi-ratelimit-headers-11) if there is one, else from the plain
 * fields.
 *
 * @param now Wall time in ms.
 */
export function quotaReset(headers: Headers, now: number, isLimited = false): number | undefined {
  const field = headers.get('ratelimit');
  const policies = field && field.length <= LONGEST ? listOfItems(field) : undefined;
  if (!policies?.length) return rateLimitReset(headers, now, isLimited);
  const waits = policies
    .filter(({ parameters }) => parameters.get('r') === 0)
    .map(({ parameters }) => parameters.get('t'))
    .filter((t): t is number => typeof t === 'number' && t >= 0);
  return waits.length ? left(Math.max(...waits), headers) : undefined;
}

/** The statuses that may say when to come back. */
const LIMITED = [413, 429, 503];

/**
 * How long a response asks to wait. A `Retry-After` is believed before the fields of rate limits, also one that cannot be read.
 *
 * @param reset Reads those fields.
 * @returns milliseconds from now; `undefined` where nothing understandable was asked.
 */
export function waitAsked(
  { status, headers }: Response,
  now: number,
  reset = rateLimitReset,
): number | undefined {
  if (headers.has('retry-after')) return retryAfter(headers, now);
  return reset(headers, now, LIMITED.includes(status));
}
