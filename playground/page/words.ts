import type { OutboxEntry, Reason } from 'holdfast';

export function span(ms: number): string {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 10_000) return `${(ms / 1000).toFixed(1)} s`;
  return long(ms / 1000);
}

/** In whole units: what is shown of something that goes on. */
export function long(seconds: number): string {
  if (seconds < 100) return `${Math.floor(seconds)} s`;
  if (seconds < 6000) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} days`;
}

/** In how many seconds, rounded up: it is not to say 0 while there is something to wait for. */
export const until = (at: number): string => `in ${Math.ceil(Math.max(0, at - Date.now()) / 1000)} s`;

const time = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium', hourCycle: 'h23' });

export const clockTime = (at: number): string => time.format(at);

const codes: Record<string, string> = {
  network: 'no connection',
  'timeout-attempt': 'no answer in time',
  'timeout-total': 'time is up',
  'timeout-idle': 'the answer stalled',
  'circuit-open': 'circuit open',
  redirected: 'answered by somebody else',
  expired: 'too old',
  attempts: 'too many attempts',
  closed: 'page closed',
};

/** What a code of the library is called here. */
export const called = (code: string): string => codes[code] ?? code;

/** Why a write has not been delivered. */
export function why({ code, status, problem }: Reason): string {
  if (status === undefined) return called(code);
  const { title } = (problem ?? {}) as { title?: string };
  return `the origin answered ${status}${title ? `: ${title}` : ''}`;
}

interface Wish {
  readonly item?: string;
  readonly quantity?: number;
}

export const orderText = ({ item, quantity }: Wish): string => `${quantity} × ${item || '(nothing named)'}`;

/** What the form gave along, for entries to be told apart. */
export const entryText = ({ meta, request }: OutboxEntry): string =>
  meta ? orderText(meta as Wish) : `${request.method} ${new URL(request.url).pathname}`;
