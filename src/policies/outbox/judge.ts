import { dropBody } from '../../core/body.ts';
import { withDeadline } from '../../core/clock.ts';
import type { Call } from '../../core/contract.ts';
import type { StoredBody } from '../../core/store.ts';
import { IDEMPOTENT_METHODS } from '../../http/idempotency.ts';
import { classifyResponse, hookFailed, leavesOpen, type Verdict } from './classify.ts';
import { type OutboxEntry, type Reason, revived } from './entry.ts';
import { HOOK_PATIENCE, type OutboxSettings } from './options.ts';

/** Tries of a 409 before it is taken for a conflict: the key may still be in process from a sending whose answer was lost. */
const CONFLICT_TRIES = 3;

/** What an answer means for an entry, after all that the application has to say to it. */
export async function judged(
  response: Response,
  asked: string,
  entry: OutboxEntry,
  body: StoredBody | undefined,
  call: Call,
  settings: OutboxSettings,
): Promise<Verdict> {
  const verdict = classifyResponse(response, asked, call.host.clock.now());
  if (verdict.is === 'delivered')
    return knownOutcome(await accepted(response, entry, call, settings), entry, settings);
  if (verdict.is === 'conflict')
    return decide(response, entry, revived(entry, body), call, verdict.reason, settings);
  return knownOutcome(verdict, entry, settings);
}

/** A write that must not take effect twice is not sent again where it may have. */
export function knownOutcome(verdict: Verdict, entry: OutboxEntry, settings: OutboxSettings): Verdict {
  if (verdict.is !== 'again' || !isSentOnce(entry, settings) || !leavesOpen(verdict)) return verdict;
  return { is: 'dead', reason: { ...verdict.reason, code: 'unknown-outcome' } };
}

/** Whether a write is sent only as long as it is known not to have taken effect. */
export const isSentOnce = (
  { delivery, request: { method } }: OutboxEntry,
  settings: OutboxSettings,
): boolean => (delivery ?? settings.delivery) === 'at-most-once' && !IDEMPOTENT_METHODS.includes(method);

/** Whether a 2xx is the origin's own, where the application can tell. */
async function accepted(
  response: Response,
  entry: OutboxEntry,
  call: Call,
  { isDelivered }: OutboxSettings,
): Promise<Verdict> {
  if (!isDelivered) return { is: 'delivered' };
  const reason: Reason = { code: 'not-accepted', status: response.status };
  const copy = response.clone();
  try {
    if (await withDeadline(HOOK_PATIENCE, call, isDelivered(copy, entry))) return { is: 'delivered' };
    return { is: 'again', reason, cost: 'silence', isForeign: true };
  } catch (error) {
    return { is: 'again', reason: { ...reason, message: hookFailed('isDelivered', error) }, cost: 'silence' };
  } finally {
    dropBody(copy);
  }
}

/** What is done about a 409 or a 412, as the application says. */
async function decide(
  response: Response,
  entry: OutboxEntry,
  sent: Request,
  call: Call,
  reason: Reason,
  settings: OutboxSettings,
): Promise<Verdict> {
  const again: Verdict = { is: 'again', reason, cost: 'attempt' };
  if (!settings.onConflict) {
    const inProcess = response.status === 409 && (entry.conflicts ?? 0) + 1 < CONFLICT_TRIES;
    return inProcess ? again : { is: 'dead', reason };
  }
  let copy: Response | undefined;
  try {
    copy = response.clone();
    const word = await withDeadline(HOOK_PATIENCE, call, settings.onConflict(copy, entry, sent));
    if (word === 'drop') return { is: 'delivered' };
    if (word === 'again') return again;
    if (word === 'dead-letter') return { is: 'dead', reason };
    if (word instanceof Request) return { is: 'rewrite', reason, request: word };
    const message = "onConflict: expected 'again', 'drop', 'dead-letter' or a Request";
    return { is: 'dead', reason: { ...reason, message } };
  } catch (error) {
    return { is: 'dead', reason: { ...reason, message: hookFailed('onConflict', error) } };
  } finally {
    dropBody(copy);
  }
}
