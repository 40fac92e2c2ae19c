import { dropBody } from '../../../core/body/body.ts';
import type { Call } from '../../../core/contract.ts';
import type { StoredBody } from '../../../core/store.ts';
import { IDEMPOTENT_METHODS } from '../../../http/idempotency.ts';
import { retryAfter } from '../../../http/retry-after.ts';
import { isOriginFailure } from '../../../http/status.ts';
import { withDeadline } from '../../../primitives/clock.ts';
import { isFailure } from '../../../primitives/failure.ts';
import { originOf } from '../../../primitives/request.ts';
import { HOOK_TIMEOUT, type OutboxSettings } from '../options.ts';
import type { OutboxEntry, Reason } from '../queue/entry.ts';
import { deserializeRequest } from '../queue/serialize.ts';

/** Attempts with a 409 before it counts as a conflict: the key may still be in process from an attempt without a response. */
const CONFLICT_TRIES = 3;

/**
 * The cost of a failure for an entry.
 *
 * - `attempt`: one attempt; the origin has responded.
 * - `unreachable`: no response, which is no fault of the write; it costs one attempt an hour.
 * - `none`: nothing was sent.
 * - `rejected`: a policy rejected the call, nothing was sent, and a repetition is cheap, so the wait does not grow.
 */
export type AttemptCost = 'attempt' | 'unreachable' | 'none' | 'rejected';

/** The outcome of an attempt for its entry. */
export type SendOutcome =
  | { readonly is: 'ack' }
  /** `wait`: the origin asked for so many ms. */
  | {
      readonly is: 'retry';
      readonly reason: Reason;
      readonly cost: AttemptCost;
      readonly wait?: number | undefined;
    }
  /** The origin wants credentials. */
  | { readonly is: 'pause'; readonly reason: Reason }
  | { readonly is: 'conflict'; readonly reason: Reason }
  /** The application wants this to be sent instead. */
  | { readonly is: 'replace'; readonly reason: Reason; readonly request: Request }
  | { readonly is: 'dead-letter'; readonly reason: Reason }
  /** The entry was removed, or another worker has it: nothing was sent. */
  | { readonly is: 'skip' };

/** @param asked The origin of the request; after failover, another one than the entry's. */
export function classifyResponse(response: Response, asked: string, now: number): SendOutcome {
  const { status } = response;
  const reason: Reason = { code: 'http', status };
  // A captive portal responds to everything with its login page.
  const strayed =
    response.type === 'opaqueredirect' || (response.redirected && originOf(response.url) !== asked);
  if (strayed) return { is: 'retry', reason: { code: 'redirected', status }, cost: 'unreachable' };
  if (response.ok) return { is: 'ack' };
  if (status === 401) return { is: 'pause', reason };
  if (status === 409 || status === 412) return { is: 'conflict', reason };
  if (isOriginFailure(status) || status === 425 || status === 429)
    return { is: 'retry', reason, cost: 'attempt', wait: retryAfter(response.headers, now) };
  return { is: 'dead-letter', reason };
}

/**
 * Whether the write may have taken effect. Statuses that say that the request was not processed (408, 425, 429, 503) are clear. A
 * redirect to another origin is not: it may be the response to a write that took effect.
 */
const isAmbiguous = ({ reason, cost }: Extract<SendOutcome, { is: 'retry' }>): boolean =>
  reason.code === 'http'
    ? ![408, 425, 429, 503].includes(reason.status ?? 0)
    : cost === 'attempt' || cost === 'unreachable';

export function classifyError(error: unknown, now: number): SendOutcome {
  const failure = isFailure(error) ? error : undefined;
  if (failure?.category === 'auth' && !failure.transient) return { is: 'pause', reason: reasonOf(error) };
  const wait = failure?.retryAt === undefined ? undefined : Math.max(0, failure.retryAt - now);
  return { is: 'retry', reason: reasonOf(error), wait, cost: costOf(failure?.category) };
}

/** @param message Default: that of the error. */
export const reasonOf = (
  error: unknown,
  message = brief(error instanceof Error ? error.message : String(error)),
): Reason => ({ code: isFailure(error) ? error.code : 'unknown', message });

/** Names the error and its code: its message may quote a credential, such as an invalid header value. */
export function hookFailed(hook: string, error: unknown): string {
  const { name, code } = error instanceof Error ? (error as Error & { code?: unknown }) : {};
  const known = [name ?? typeof error, typeof code === 'string' && code].filter(Boolean).join(' ');
  return brief(`${hook}: ${known}`);
}

/** A reason is part of the entry's record, where stores have little room. */
export const brief = (message: string): string => message.slice(0, 1_000);

function costOf(category: string | undefined): AttemptCost {
  if (category === 'circuit-open' || category === 'capacity' || category === 'auth') return 'rejected';
  return category === 'network' || category === 'timeout' ? 'unreachable' : 'attempt';
}

/** Evaluates a response, with the hooks of the application. @param sent The body that was sent. */
export async function evaluateResponse(
  response: Response,
  entry: OutboxEntry,
  sent: StoredBody | undefined,
  call: Call,
  settings: OutboxSettings,
): Promise<SendOutcome> {
  const { isDelivered, onConflict } = settings;
  const { status } = response;
  const asked = call.attempts.at(-1)?.origin ?? entry.origin;
  const outcome = classifyResponse(response, asked, call.host.clock.now());
  if (outcome.is === 'ack' && isDelivered) {
    const said = await askHook('isDelivered', response, call, (copy) => isDelivered(copy, entry));
    if (said.value) return outcome;
    const { message } = said;
    const reason: Reason = { code: 'not-accepted', status, ...(message !== undefined && { message }) };
    const again: SendOutcome = { is: 'retry', reason, cost: 'unreachable' };
    // A response that is not the origin's says that the write did not arrive; a hook that failed says nothing.
    return message === undefined ? again : resolveAmbiguous(again, entry, settings);
  }
  if (outcome.is !== 'conflict') return resolveAmbiguous(outcome, entry, settings);
  const { reason } = outcome;
  const again: SendOutcome = { is: 'retry', reason, cost: 'attempt' };
  if (!onConflict) {
    const inProcess = status === 409 && (entry.conflicts ?? 0) + 1 < CONFLICT_TRIES;
    return inProcess ? again : { is: 'dead-letter', reason };
  }
  const said = await askHook('onConflict', response, call, (copy) =>
    onConflict(copy, entry, deserializeRequest(entry, sent)),
  );
  if (said.value === 'drop') return { is: 'ack' };
  if (said.value === 'again') return again;
  if (said.value === 'dead-letter') return { is: 'dead-letter', reason };
  if (said.value instanceof Request) return { is: 'replace', reason, request: said.value };
  const { message = "onConflict: expected 'again', 'drop', 'dead-letter' or a Request" } = said;
  return { is: 'dead-letter', reason: { ...reason, message } };
}

/** Asks the application about a response. @returns its hook's result, or the failure. */
async function askHook<T>(
  hook: string,
  response: Response,
  call: Call,
  ask: (copy: Response) => T | Promise<T>,
): Promise<{ readonly value?: T; readonly message?: string }> {
  let copy: Response | undefined;
  try {
    copy = response.clone();
    return { value: await withDeadline(HOOK_TIMEOUT, call, ask(copy)) };
  } catch (error) {
    return { message: hookFailed(hook, error) };
  } finally {
    dropBody(copy);
  }
}

/** Dead-letters an at-most-once write that may have taken effect. */
export function resolveAmbiguous(
  outcome: SendOutcome,
  entry: OutboxEntry,
  settings: OutboxSettings,
): SendOutcome {
  if (outcome.is !== 'retry' || !isAtMostOnce(entry, settings) || !isAmbiguous(outcome)) return outcome;
  return { is: 'dead-letter', reason: { ...outcome.reason, code: 'unknown-outcome' } };
}

/** Whether a write must not be sent again once it may have taken effect. */
export const isAtMostOnce = (
  { delivery, request: { method } }: OutboxEntry,
  settings: OutboxSettings,
): boolean => (delivery ?? settings.delivery) === 'at-most-once' && !IDEMPOTENT_METHODS.includes(method);
