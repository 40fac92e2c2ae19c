import { dropBody } from '../../../core/body/body.ts';
import type { Call } from '../../../core/contract.ts';
import type { StoredBody } from '../../../core/store.ts';
import { IDEMPOTENT_METHODS } from '../../../http/idempotency.ts';
import { withDeadline } from '../../../primitives/clock.ts';
import { HOOK_TIMEOUT, type OutboxSettings } from '../options.ts';
import { deserializeRequest, type OutboxEntry, type Reason } from '../queue/entry.ts';
import { classifyResponse, hookFailed, isAmbiguous, type SendOutcome } from './outcome.ts';

/** Attempts with a 409 before it counts as a conflict: the key may still be in process from an attempt without a response. */
const CONFLICT_TRIES = 3;

/** What a response means for an entry, after the hooks of the application. */
export async function evaluateResponse(
  response: Response,
  asked: string,
  entry: OutboxEntry,
  body: StoredBody | undefined,
  call: Call,
  settings: OutboxSettings,
): Promise<SendOutcome> {
  const outcome = classifyResponse(response, asked, call.host.clock.now());
  if (outcome.is === 'ack')
    return resolveAmbiguous(await checkDelivered(response, entry, call, settings), entry, settings);
  if (outcome.is === 'conflict')
    return resolveConflict(response, entry, deserializeRequest(entry, body), call, outcome.reason, settings);
  return resolveAmbiguous(outcome, entry, settings);
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

/** Asks the application whether a 2xx is the origin's own. */
async function checkDelivered(
  response: Response,
  entry: OutboxEntry,
  call: Call,
  { isDelivered }: OutboxSettings,
): Promise<SendOutcome> {
  if (!isDelivered) return { is: 'ack' };
  const reason: Reason = { code: 'not-accepted', status: response.status };
  const copy = response.clone();
  try {
    if (await withDeadline(HOOK_TIMEOUT, call, isDelivered(copy, entry))) return { is: 'ack' };
    return { is: 'retry', reason, cost: 'unreachable', isForeign: true };
  } catch (error) {
    return {
      is: 'retry',
      reason: { ...reason, message: hookFailed('isDelivered', error) },
      cost: 'unreachable',
    };
  } finally {
    dropBody(copy);
  }
}

/** Applies the application's decision on a 409 or a 412. */
async function resolveConflict(
  response: Response,
  entry: OutboxEntry,
  sent: Request,
  call: Call,
  reason: Reason,
  settings: OutboxSettings,
): Promise<SendOutcome> {
  const again: SendOutcome = { is: 'retry', reason, cost: 'attempt' };
  if (!settings.onConflict) {
    const inProcess = response.status === 409 && (entry.conflicts ?? 0) + 1 < CONFLICT_TRIES;
    return inProcess ? again : { is: 'dead-letter', reason };
  }
  let copy: Response | undefined;
  try {
    copy = response.clone();
    const word = await withDeadline(HOOK_TIMEOUT, call, settings.onConflict(copy, entry, sent));
    if (word === 'drop') return { is: 'ack' };
    if (word === 'again') return again;
    if (word === 'dead-letter') return { is: 'dead-letter', reason };
    if (word instanceof Request) return { is: 'replace', reason, request: word };
    const message = "onConflict: expected 'again', 'drop', 'dead-letter' or a Request";
    return { is: 'dead-letter', reason: { ...reason, message } };
  } catch (error) {
    return { is: 'dead-letter', reason: { ...reason, message: hookFailed('onConflict', error) } };
  } finally {
    dropBody(copy);
  }
}
