/**
 * How long a response asks to wait, from `Retry-After` (RFC 9110, 10.2.3): seconds or any of the three HTTP dates.
 *
 * A date is measured against the response's own `Date` where it can be seen, so that an origin whose clock is off is
 * still understood.
 *
 * @param now Wall time in ms.
 * @param field Another one with the same grammar.
 * @returns milliseconds from now, never negative; `undefined` without the field, or with one that has another grammar.
 */
export function retryAfter(headers: Headers, now: number, field = 'retry-after'): number | undefined {
  const asked = headers.get(field)?.trim();
  if (!asked) return undefined;
  if (/^\d+$/.test(asked)) return Number(asked) * 1000;
  const until = httpDate(asked, now);
  if (until === undefined) return undefined;
  return untilDate(until, headers, now);
}

/** Milliseconds to an instant, by the clock of the response if that can be seen. */
export const untilDate = (until: number, headers: Headers, now: number): number =>
  Math.max(0, until - (httpDate(headers.get('date') ?? '', now) ?? now));

/** The three forms of a date (RFC 9110, 5.6.7); the last one is that of asctime(). */
const HTTP_DATE =
  /^[a-z]{3,9}(?:, (\d\d)[ -]([a-z]{3})[ -](\d\d(?:\d\d)?) ([\d:]{8}) GMT| ([a-z]{3}) ([ \d]\d) ([\d:]{8}) (\d{4}))$/i;

/**
 * An HTTP date in any of its three forms (RFC 9110, 5.6.7), in any case (RFC 9111, 4.2).
 *
 * @param now Wall time in ms; places a year of two digits.
 * @returns ms since the epoch, or `undefined`.
 */
export function httpDate(text: string, now: number): number | undefined {
  const [, d, m, y, t, month = m, day = d, time = t, digits = y] = HTTP_DATE.exec(text) ?? [];
  if (!digits) return undefined;
  let year = Number(digits);
  if (digits.length < 4) {
    // A date that seems to lie more than 50 years ahead is the latest one in the past with these digits.
    const thisYear = new Date(now).getUTCFullYear();
    year += thisYear - (thisYear % 100);
    if (year > thisYear + 50) year -= 100;
  }
  const date = new Date(`${day} ${month} ${year} ${time} GMT`);
  // Engines take the 31st of February for a day in March.
  return date.getUTCDate() === Number(day) ? date.getTime() : undefined;
}
