import { redact, redactText } from '../../observability/log/redact.ts';

/** How something went. Each tone has a colour, and the text beside it says the same. */
export type Tone = 'good' | 'bad' | 'waiting' | 'stale' | 'plain';

export const toneOf = (status: number): Tone => (status < 400 ? 'good' : 'bad');

/** A failure in a few words: the code of an error, a status, a name. Never the message, which may quote a secret. */
export function failureText(cause: unknown): string {
  if (typeof cause === 'number') return `status ${cause}`;
  if (typeof cause === 'string') return redactText(cause);
  const { code, status, name } = Object(cause) as { code?: unknown; status?: unknown; name?: unknown };
  if (typeof status === 'number') return `status ${status}`;
  if (typeof code === 'string') return redactText(code);
  return typeof name === 'string' ? redactText(name) : 'unknown';
}

/** A URL with its query, as a developer needs it, but without user, fragment and secret values. */
export function shownUrl(url: string): string {
  if (!URL.canParse(url)) return redactText(url);
  const { origin, pathname, searchParams } = new URL(url);
  const path = redactText(origin + pathname);
  if (searchParams.size === 0) return path;
  const query = [...searchParams].map((pair) =>
    (redact(pair) as [string, string])
      .map((part) => (part === '…' ? part : encodeURIComponent(part.replace(/\p{Surrogate}/gu, ''))))
      .join('='),
  );
  return `${path}?${query.join('&')}`;
}

/** Headers without the values of those that carry credentials. */
export const shownHeaders = (headers: Headers): [string, string][] =>
  [...headers].map((pair) => redact(pair) as [string, string]);

export function durationText(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 60_000) return `${(ms / 1_000).toFixed(1)} s`;
  if (ms < 3_600_000) return `${Math.round(ms / 60_000)} min`;
  return ms < 172_800_000 ? `${Math.round(ms / 3_600_000)} h` : `${Math.round(ms / 86_400_000)} d`;
}

export function bytesText(size: number): string {
  if (size < 1_000) return `${size} B`;
  return size < 1_000_000 ? `${(size / 1_000).toFixed(1)} kB` : `${(size / 1_000_000).toFixed(1)} MB`;
}

/** Local wall time, with milliseconds. */
export function timeOfDay(at: number): string {
  const date = new Date(at);
  const two = (part: number): string => String(part).padStart(2, '0');
  const ms = String(date.getMilliseconds()).padStart(3, '0');
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${ms}`;
}
