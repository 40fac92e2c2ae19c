/** What stands in place of something that is not to be seen. */
const REDACTED = '…';

/** So many characters of a text are told. */
const LONGEST = 1_000;

/** How deep a value is looked into, and how many entries of it. */
const DEPTH = 6;
const ENTRIES = 50;

/** Names of what is secret, whatever its value. */
const SECRET_NAMES =
  /pass(word|wd|phrase|code)?$|^pwd|secret|token|api[-_]?key|apikey|access[-_]?key|private[-_]?key|credential|authoriz|^auth$|x-auth|session|cookie|csrf|xsrf|signature|^sig$|jwt|bearer|otp|^pin$|ssn|cvv|cvc|card[-_]?number|iban|^code$|^state$|nonce|refresh|assertion/i;

/** Values that are secret whatever they are called: JWTs, known prefixes of keys, what comes after a scheme, private keys. */
const SECRET_VALUES = [
  /\beyJ[\w-]{5,}\.[\w-]{5,}(\.[\w-]*)?/g,
  /\b(sk|pk|rk)_(live|test)_\w+/g,
  /\b(gh[pousr]_|github_pat_|glpat-|xox[abprs]-|AKIA|ASIA|AIza|ya29\.|npm_|SG\.|shpat_)[\w.-]{8,}/g,
  /\b(Bearer|Basic|Digest|Token|DPoP)\s+[\w.~+/=:-]{4,}/gi,
  /-----BEGIN [A-Z ]*KEY-----[\s\S]*?(-----END [A-Z ]*KEY-----|$)/g,
  /\b\d{4}[ -]?\d{4}[ -]?\d{4}[ -]?\d{1,7}\b/g,
];

/** Whether what is called this is not to be seen. */
const isSecretName = (name: string): boolean => SECRET_NAMES.test(name.normalize('NFKC').trim());

/** A segment of a path that looks like a key: long, and of both letters and digits, unlike a word or a UUID. */
const isKeyLike = (segment: string): boolean =>
  segment.length >= 20 &&
  /\d/.test(segment) &&
  /[a-z]/i.test(segment) &&
  !/^[\da-f]{8}(-[\da-f]{4}){3}-[\da-f]{12}$/i.test(segment) &&
  !/^[a-z]+([-_.][a-z\d]+)*\.[a-z\d]{1,8}$/i.test(segment);

/** Origin and path, without what identifies somebody: user, query, fragment, segments that look like keys. */
export function redactUrl(url: string): string {
  if (!URL.canParse(url)) return redactText(url.replace(/[?#].*/s, REDACTED));
  const { protocol, host, origin, pathname, search, hash } = new URL(url);
  if (url === origin) return origin;
  const place = origin === 'null' ? `${protocol}//${host}` : origin;
  // Of such a URL the path is the content.
  if (/^(data|blob|javascript):/.test(protocol)) return `${protocol}${REDACTED}`;
  const path = pathname.split('/').map((segment) => (isKeyLike(segment) ? REDACTED : redactText(segment)));
  return place + path.join('/') + (search ? `?${REDACTED}` : '') + (hash ? `#${REDACTED}` : '');
}

/** A text without what is secret in it: URLs, keys, tokens, `name=value` of secret names. */
export function redactText(text: string): string {
  let told = text.slice(0, LONGEST).replace(/\b[a-z][a-z\d+.-]*:\/\/[^\s"'<>)\]]+/gi, (url) =>
    // Written once more below, where it would be found again.
    URL.canParse(url) ? redactUrl(url) : REDACTED,
  );
  for (const secret of SECRET_VALUES) told = told.replace(secret, REDACTED);
  return withoutPairs(told);
}

/** `name=value` and `"name": "value"`, where the name is that of a secret. */
function withoutPairs(text: string): string {
  const named = /([\w.-]+)(["']?\s*[=:]\s*["']?)/g;
  const value = /[^\s"'&;,…]*/y;
  let told = '';
  let from = 0;
  for (let found = named.exec(text); found; found = named.exec(text)) {
    if (!isSecretName(found[1] as string)) continue;
    value.lastIndex = named.lastIndex;
    value.exec(text);
    told += text.slice(from, named.lastIndex) + REDACTED;
    from = value.lastIndex;
    named.lastIndex = from;
  }
  return told + text.slice(from);
}

/** Plain data with nothing secret in it, of whatever value, however it is made. */
export function redact(value: unknown, depth = 0): unknown {
  if (typeof value === 'string') return redactText(value);
  if (value === null || ['number', 'boolean', 'undefined'].includes(typeof value)) return value;
  if (typeof value === 'bigint' || typeof value === 'symbol') return String(value);
  if (typeof value === 'function') return 'a function';
  if (depth >= DEPTH) return REDACTED;
  try {
    if (Array.isArray(value)) return value.slice(0, ENTRIES).map((each) => redact(each, depth + 1));
    if (value instanceof URL) return redactUrl(value.href);
    if (ArrayBuffer.isView(value) || value instanceof ArrayBuffer) return `${value.byteLength} bytes`;
    const entries = value instanceof Map ? [...value] : Object.entries(value as object);
    return Object.fromEntries(
      entries
        .slice(0, ENTRIES)
        .map(([name, each]) => [
          redactText(String(name)),
          isSecretName(String(name)) ? REDACTED : redact(each, depth + 1),
        ]),
    );
  } catch {
    // A getter or a proxy that throws.
    return REDACTED;
  }
}
