import { withoutClosing } from '../../primitives/failure.ts';

/** Stands in place of a secret. */
const REDACTED = '…';

/** The longest text that is logged, in characters. */
const LONGEST = 1_000;

/** Bounds of the search: depth, entries of each value, and values in all, as a value may contain itself. */
const DEPTH = 6;
const ENTRIES = 50;
const VALUES = 2_000;

/** Names that make any value a secret. */
const SECRET_NAMES =
  /pass(word|wd|phrase|code)|pass$|^pwd|secret|token|api[-_]?key|apikey|access[-_]?key|(private|encryption|signing|master|shared|account)[-_]?key|credential|authoriz|^auth$|x-auth|session|cookie|csrf|xsrf|signature|^sig$|jwt|bearer|otp|^pin$|ssn|cvv|cvc|card[-_]?number|iban|^code$|^state$|nonce|refresh|assertion|^sid$|connect\.sid|phpsessid|subscription-?key|functions-?key|ticket|_code$|verifier|hmac|^dsn$|^key$/i;

/** Values that are secret under any name: JWTs, known prefixes of keys, credentials after a scheme, private keys. */
const SECRET_VALUES = [
  /\beyJ[\w-]{5,}\.[\w-]{5,}(\.[\w-]*)?/g,
  /\b(sk|pk|rk)_(live|test)_\w+/g,
  /\bsk-[\w-]{20,}/g,
  /\bwhsec_\w+/g,
  /\b(gh[pousr]_|github_pat_|glpat-|xox[abprs]-|AKIA|ASIA|AIza|ya29\.|npm_|SG\.|shpat_)[\w.-]{8,}/g,
  /\b(Bearer|Basic|Digest|Token|DPoP)\s+[\w.~+/=:-]{4,}/gi,
  /-----BEGIN [A-Z ]*(KEY|MESSAGE|BLOCK)-----[\s\S]*?(-----END [A-Z ]*-----|$)/g,
  /\b\d{4}[ -]?\d{4}[ -]?\d{4}[ -]?\d{1,7}\b/g,
  /\b3[47]\d{2}[ -]?\d{6}[ -]?\d{5}\b/g,
];

/** Whether a value of this name is secret. */
const isSecretName = (name: string): boolean =>
  SECRET_NAMES.test(
    name
      .normalize('NFKC')
      .replace(/\p{Cf}/gu, '')
      .trim(),
  );

/** A segment of a path that looks like a key: long, and of both letters and digits, unlike a word or a UUID. */
const isKeyLike = (segment: string): boolean =>
  segment.length >= 20 &&
  /\d/.test(segment) &&
  /[a-z]/i.test(segment) &&
  !/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(segment) &&
  !/^[a-z]+([-_.][a-z\d]+)*\.[a-z\d]{1,8}$/i.test(segment);

/** The segment after one of these is a secret, however short. */
const BEFORE_SECRETS = /^(reset|token|invite|verify|confirm|magic|unsubscribe)([-_][a-z]+)?$/i;

/** With names that are written with escapes: `%74oken`. */
function decoded(segment: string): string {
  if (!segment.includes('%') || segment.length > LONGEST) return segment;
  try {
    const plain = decodeURIComponent(segment);
    return isSecretPair(plain) ? plain : segment;
  } catch {
    return segment;
  }
}

const isSecretPair = (text: string): boolean => withoutPairs(text) !== text;

/** Origin and path, without personal data: user, query, fragment, segments that look like keys. */
export function redactUrl(url: string): string {
  if (!URL.canParse(url)) return redactText(url.replace(/[?#].*/s, REDACTED));
  const { protocol, host, origin, pathname, search, hash } = new URL(url);
  if (url === origin) return origin;
  const place = origin === 'null' ? `${protocol}//${host}` : origin;
  // Of such a URL the path is the content.
  if (/^(data|blob|javascript):/.test(protocol)) return `${protocol}${REDACTED}`;
  const segments = pathname.slice(0, LONGEST).split('/');
  const path = segments.map((segment, at) =>
    isKeyLike(segment) || (segment && BEFORE_SECRETS.test(segments[at - 1] ?? ''))
      ? REDACTED
      : redactText(decoded(segment)),
  );
  return place + path.join('/') + (search ? `?${REDACTED}` : '') + (hash ? `#${REDACTED}` : '');
}

/** A text without its secrets: parts of URLs, keys, tokens, `name=value` of secret names. */
export function redactText(text: string): string {
  let redacted = text.slice(0, LONGEST).replace(/\b[a-z][a-z\d+.-]*:\/\/\S+/gi, (found) => {
    const url = withoutClosing(found);
    // Written once more below, where it would be found again.
    return (URL.canParse(url) ? redactUrl(url) : REDACTED) + found.slice(url.length);
  });
  for (const secret of SECRET_VALUES) redacted = redacted.replace(secret, REDACTED);
  return withoutPairs(redacted);
}

/** `name=value`, `"name": "value"` and `a[name]=value`, quoted as it may be, where the name is that of a secret. */
function withoutPairs(text: string): string {
  const named = /([\w.-]+)(?:\]|%5D)?\\*["']?\s*[=:]\s*(\\*["'])?/gi;
  let redacted = '';
  let from = 0;
  for (let found = named.exec(text); found; found = named.exec(text)) {
    const [, name = '', quote] = found;
    if (!isSecretName(name)) continue;
    redacted += text.slice(from, named.lastIndex) + REDACTED;
    from = endOf(text, named.lastIndex, name, quote);
    named.lastIndex = from;
  }
  return redacted + text.slice(from);
}

/** The value of these is the rest of the line: a scheme and its credentials, or pairs. */
const HEADERS = /authoriz|cookie/i;

const QUOTED: Readonly<Record<string, RegExp>> = {
  '"': /(?:\\.|[^"\\])*/sy,
  "'": /(?:\\.|[^'\\])*/sy,
};

/** Where the value that begins at `from` has its end. */
function endOf(text: string, from: number, name: string, quote: string | undefined): number {
  if (quote !== undefined && quote.length > 1) {
    // Within a text that is quoted itself.
    const end = text.indexOf(quote, from);
    return end < 0 ? text.length : end;
  }
  const value = new RegExp(QUOTED[quote ?? ''] ?? (HEADERS.test(name) ? /[^\r\n]*/y : /[^\s"'&;,…]*/y));
  value.lastIndex = from;
  value.exec(text);
  return value.lastIndex;
}

/**
 * Any value as plain data without secrets.
 *
 * @example
 * log(redact({ user: 'ada', password: 'secret' })); // the password is not shown
 */
export const redact = (value: unknown): unknown => redacted(value, 0, { left: VALUES });

/** Name and value as properties, as in forms and HAR files. */
interface Named {
  readonly name?: unknown;
  readonly value?: unknown;
}

function redacted(value: unknown, depth: number, budget: { left: number }): unknown {
  if (budget.left-- <= 0) return REDACTED;
  if (typeof value === 'string') return redactText(value);
  if (value === null || ['number', 'boolean', 'undefined'].includes(typeof value)) return value;
  if (typeof value === 'bigint' || typeof value === 'symbol') return redactText(String(value));
  if (typeof value === 'function') return 'a function';
  if (depth >= DEPTH) return REDACTED;
  const inner = (each: unknown): unknown => redacted(each, depth + 1, budget);
  const named = (name: unknown, each: unknown): [string, unknown] => [
    redactText(String(name)),
    isSecretName(String(name)) ? REDACTED : inner(each),
  ];
  try {
    if (Array.isArray(value)) {
      const [name, each] = value;
      // As headers are given.
      if (value.length === 2 && typeof name === 'string') return named(name, each);
      return value.slice(0, ENTRIES).map(inner);
    }
    if (typeof (value as Named).name === 'string' && 'value' in (value as object)) {
      const { name } = value as Named;
      if (isSecretName(name as string)) return { name: redactText(name as string), value: REDACTED };
    }
    if (value instanceof URL) return redactUrl(value.href);
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `${value.byteLength} bytes`;
    const entries = value instanceof Map ? [...value] : Object.entries(value as object);
    return Object.fromEntries(entries.slice(0, ENTRIES).map(([name, each]) => named(name, each)));
  } catch {
    // A getter or a proxy that throws.
    return REDACTED;
  }
}
