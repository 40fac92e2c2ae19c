/**
 * How long an answer asks to wait, from `Retry-After` (RFC 9110, 10.2.3): seconds or any of the three HTTP dates.
 *
 * A date is measured against the answer's own `Date` where it can be seen, so that an origin whose clock is off is
 * still understood.
 *
 * @param now Wall time in ms.
 * @param field Another one with the same grammar.
 * @returns milliseconds from now, never negative; `undefined` where nothing understandable was asked.
 */
export function retryAfter(headers: Headers, now: number, field = 'retry-after'): number | undefined {
  const asked = headers.get(field)?.trim();
  if (!asked) return undefined;
  if (/^\d+$/.test(asked)) return Number(asked) * 1000;
  const until = httpDate(asked, now);
  if (until === undefined) return undefined;
  return Math.max(0, until - (httpDate(headers.get('date') ?? '', now) ?? now));
}

const MONTHS = 'janfebmaraprmayjunjulaugsepoctnovdec';

const TIME = '(\\d\\d):(\\d\\d):(\\d\\d)';
const IMF_FIXDATE = new RegExp(`^[A-Z][a-z]{2}, (\\d\\d) ([A-Z][a-z]{2}) (\\d{4}) ${TIME} GMT$`, 'i');
const RFC_850 = new RegExp(`^[A-Z][a-z]{5,8}, (\\d\\d)-([A-Z][a-z]{2})-(\\d\\d) ${TIME} GMT$`, 'i');
const ASCTIME = new RegExp(`^[A-Z][a-z]{2} ([A-Z][a-z]{2}) ([ \\d]\\d) ${TIME} (\\d{4})$`, 'i');

/**
 * An HTTP date in any of its three forms (RFC 9110, 5.6.7), and in no other; in any case (RFC 9111, 4.2).
 *
 * @param now Wall time in ms; places a year of two digits.
 * @returns ms since the epoch, or `undefined`.
 */
export function httpDate(text: string, now: number): number | undefined {
  const imf = IMF_FIXDATE.exec(text);
  if (imf) return utc(imf[3], imf[2], imf[1], imf.slice(4));
  const ctime = ASCTIME.exec(text);
  if (ctime) return utc(ctime[6], ctime[1], ctime[2], ctime.slice(3));
  const old = RFC_850.exec(text);
  if (!old) return undefined;
  // A date that seems to lie more than 50 years ahead is the latest one in the past with these digits.
  const thisYear = new Date(now).getUTCFullYear();
  const year = thisYear - (thisYear % 100) + Number(old[3]);
  return utc(year > thisYear + 50 ? year - 100 : year, old[2], old[1], old.slice(4));
}

function utc(
  year: unknown,
  month: string | undefined,
  day: unknown,
  [hours, minutes, seconds]: (string | undefined)[],
): number | undefined {
  const at = MONTHS.indexOf(String(month).toLowerCase());
  if (at < 0 || at % 3) return undefined;
  const last = new Date(Date.UTC(Number(year), at / 3 + 1, 0)).getUTCDate();
  // The platform would take the 31st of February for a day in March. A second may be a leap second.
  if (
    Number(day) < 1 ||
    Number(day) > last ||
    Number(hours) > 23 ||
    Number(minutes) > 59 ||
    Number(seconds) > 60
  )
    return undefined;
  return Date.UTC(Number(year), at / 3, Number(day), Number(hours), Number(minutes), Number(seconds));
}
