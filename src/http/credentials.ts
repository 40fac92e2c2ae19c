/** Headers that prove who sends (Fetch, "HTTP-redirect fetch"): they go to nobody else, and to no disk. */
export const CREDENTIALS: readonly string[] = ['authorization', 'proxy-authorization', 'cookie'];

const SECRET =
  /authori[sz]|authenticat|\bauth\b|cookie|token|secret|session|credential|passw|signature|jwt|csrf|xsrf|(api|access|private|functions|subscription)[-_]?key|bearer|otp\b/i;

/** Positions in a list and counts of a language model, which share a word with secrets. */
const HARMLESS = /(continuation|page|cursor|next|sync)[-_]?token\b|ratelimit|tokens/i;

/** Whether the value of a header may prove who somebody is: then it reaches no disk, in a request or in a response. */
export const carriesCredentials = (name: string): boolean => SECRET.test(name) && !HARMLESS.test(name);
