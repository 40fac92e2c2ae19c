import type { OutboxEntry } from 'holdfast';

/** A duration in whole units. */
export function long(seconds: number): string {
  if (seconds < 100) return `${Math.max(0, Math.floor(seconds))} s`;
  if (seconds < 6000) return `${Math.floor(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.floor(seconds / 3600)} h`;
  return `${Math.floor(seconds / 86_400)} days`;
}

export const count = (n: number, noun: string): string => `${n} ${noun}${n === 1 ? '' : 's'}`;

export const times = (n: number): string => ['never', 'once', 'twice'][n] ?? `${n} times`;

const time = new Intl.DateTimeFormat(undefined, { timeStyle: 'short', hourCycle: 'h23' });

export const clockTime = (at: number): string => time.format(at);

const price = new Intl.NumberFormat('en', { style: 'currency', currency: 'EUR' });

export const money = (cents: number): string => price.format(cents / 100);

const CODES: Readonly<Record<string, string>> = {
  network: 'no connection',
  'timeout-attempt': 'no response in time',
  'timeout-total': 'no response in time',
  'timeout-idle': 'the response stalled',
  'circuit-open': 'the circuit is open',
  attempts: 'too many attempts',
};

/** An error of the library in the words of the shop. */
export function failure(error: unknown): string {
  const { code } = Object(error) as { code?: string };
  return code === undefined ? String(error) : (CODES[code] ?? code);
}

/** Why an order was not delivered. */
export function why(reason: NonNullable<OutboxEntry['reason']>): string {
  const { status, problem } = reason;
  if (status === undefined) return failure(reason);
  const { errors, title } = (problem ?? {}) as { title?: string; errors?: { detail: string }[] };
  const detail = errors?.map((error) => error.detail).join(', ') ?? title;
  return `the server responded ${status}${detail ? `: ${detail}` : ''}`;
}

export interface Wish {
  readonly item: string;
  readonly quantity: number;
}

export const orderText = ({ item, quantity }: Wish): string => `${quantity} × ${item || '(nothing named)'}`;

/** The order in an entry of the outbox. */
export const entryText = ({ meta }: Pick<OutboxEntry, 'meta'>): string =>
  meta ? orderText(meta as Wish) : 'an order';
