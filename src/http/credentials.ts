/** Headers with credentials (Fetch, "HTTP-redirect fetch"): they go to no other origin, and to no disk. */
export const CREDENTIALS: readonly string[] = ['authorization', 'proxy-authorization', 'cookie'];

const SECRET =
  /authori[sz]|authenticat|\bauth\b|cookie|token|secret|session|credential|passw|passphrase|\bpwd\b|signature|\bsig\b|hmac|jwt|csrf|xsrf|(api|app|access|private|functions|subscription|master|client|shared|account|encryption|signing|license|service|admin|vault)[-_]?key|bearer|otp\b|\bpin\b|\bsid\b/i;

/** Positions in a list and counts of a language model, which share a word with secrets. */
const HARMLESS =
  /^x-(\w+-)?(continuation|page|next-page|cursor|next|sync)[-_]?token$|^(continuation|page|next|sync)-token$|ratelimit.*tokens|(max|used|usage|remaining|limit|prompt|completion|total|input|output)[-_]?tokens$|tokens[-_](used|remaining|limit|usage)$/i;

/** Whether a header may carry credentials: then it is not stored, of a request or of a response. */
export const carriesCredentials = (name: string): boolean => SECRET.test(name) && !HARMLESS.test(name);

/** Credentials after the scheme of an `Authorization`, and JWTs. */
const CREDENTIAL_TEXT =
  /\b(Bearer|Basic|Digest|Token|DPoP)\s+[\w.~+/=:-]{4,}|(?<![\w-])eyJ[\w-]{5,}\.[\w-]{5,}(\.[\w-]*)?/gi;

/**
 * JSON without credentials that an origin has echoed: members with such names are left out, and texts are redacted.
 *
 * @param value Of a few levels only.
 */
export function withoutCredentials(value: unknown): unknown {
  if (typeof value === 'string') return value.replace(CREDENTIAL_TEXT, '…');
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(withoutCredentials);
  const members = Object.entries(value).filter(([name]) => !carriesCredentials(name));
  return Object.fromEntries(members.map(([name, each]) => [name, withoutCredentials(each)]));
}
