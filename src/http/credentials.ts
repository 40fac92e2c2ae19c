/** Headers that prove who sends (Fetch, "HTTP-redirect fetch"): they go to nobody else, and to no disk. */
export const CREDENTIALS: readonly string[] = ['authorization', 'proxy-authorization', 'cookie'];

const SECRET =
  /authori[sz]|authenticat|\bauth\b|cookie|token|secret|session|credential|passw|signature|jwt|csrf|xsrf|(api|access|private|functions|subscription)[-_]?key|bearer|otp\b/i;

/** Positions in a list and counts of a language model, which share a word with secrets. */
const HARMLESS = /(continuation|page|cursor|next|sync)[-_]?token\b|ratelimit|tokens/i;

/** Whether the value of a header may prove who somebody is: then it reaches no disk, in a request or in a response. */
export const carriesCredentials = (name: string): boolean => SECRET.test(name) && !HARMLESS.test(name);

/** What comes after the scheme of an `Authorization`, and JWTs. */
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
