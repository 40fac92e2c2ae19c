import { httpDate } from './retry-after.ts';
import { listOfItems } from './structured-fields.ts';

/** No field of so many characters names the quotas of one client. */
const LONGEST = 1_000;

/** Milliseconds of so many seconds that an answer names; in one from a cache they have been running. */
function left(seconds: number, headers: Headers): number {
  const age = Number(/^\d+$/.exec(headers.get('age') ?? '') ?? 0);
  return Math.max(0, (seconds - age) * 1000);
}

/**
 * How long the origin wants no further call, where it says that none remains: from `RateLimit-Remaining` and `-Reset`, else
 * from the same with `X-`, whose reset is seconds, or the epoch's seconds or milliseconds where it is that large.
 *
 * An instant is measured against the answer's own `Date`, seconds against its `Age`.
 *
 * @param now Wall time in ms.
 * @returns milliseconds from now, never negative; `undefined` where calls remain, or nothing understandable was said.
 */
export function rateLimitReset(headers: Headers, now: number): number | undefined {
  for (const prefix of ['', 'x-']) {
    const reset = headers.get(`${prefix}ratelimit-reset`) ?? '';
    if (!/^0+$/.test(headers.get(`${prefix}ratelimit-remaining`) ?? '') || !/^\d+(\.\d+)?$/.test(reset))
      continue;
    const figure = Number(reset);
    // A quota of 30 years is none.
    if (figure <= 1e9) return left(figure, headers);
    const until = figure > 1e12 ? figure : figure * 1000;
    return Math.max(0, until - (httpDate(headers.get('date') ?? '', now) ?? now));
  }
  return undefined;
}

/**
 * The same, from the structured `RateLimit` (draft-ietf-httpapi-ratelimit-headers-11) if there is one, else from the plain
 * fields.
 *
 * @param now Wall time in ms.
 */
export function quotaReset(headers: Headers, now: number): number | undefined {
  const field = headers.get('ratelimit');
  const policies = field && field.length <= LONGEST ? listOfItems(field) : undefined;
  if (!policies?.length) return rateLimitReset(headers, now);
  const waits = policies
    .filter(({ parameters }) => parameters.get('r') === 0)
    .map(({ parameters }) => parameters.get('t'))
    .filter((t): t is number => typeof t === 'number' && t >= 0);
  return waits.length ? left(Math.max(...waits), headers) : undefined;
}
