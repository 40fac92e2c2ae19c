import { dropBody, readUpTo } from '../../core/body.ts';
import { within } from '../../core/clock.ts';
import type { Call, Handler, Home } from '../../core/contract.ts';
import { facts } from '../../core/rebuild.ts';
import type { StoredBody } from '../../core/store.ts';
import { IDEMPOTENT_METHODS } from '../../http/idempotency.ts';
import type { Settled } from './answers.ts';
import { classifyError, classifyResponse, leavesOpen, reasonOf, type Verdict } from './classify.ts';
import { type OutboxEntry, type Reason, revived, withKey } from './entry.ts';
import { type OutboxSettings, STORE_PATIENCE } from './options.ts';
import type { Queue } from './queue.ts';

/** How much of an answer's body is kept for `result(id)`. */
const RESULT_BYTES = 1_000_000;

/** How long an answer's body may take, in ms: the write has been delivered, and its lane waits. */
const RESULT_PATIENCE = 10_000;

/** Tries of a 409 before it is taken for a conflict: the key may still be in process from a sending whose answer was lost. */
const CONFLICT_TRIES = 3;

/** How long a hook of the application may take, in ms: a lane waits for it. */
const HOOK_PATIENCE = 30_000;

export interface Outcome {
  readonly verdict: Verdict;
  /** The origin's answer, where it may be the entry's last. */
  readonly settled?: Settled;
}

interface Delivery {
  readonly call: Call;
  readonly next: Handler;
  readonly queue: Queue;
  readonly settings: OutboxSettings;
  /** Whether the entry is still the current user's to send. */
  readonly allowed: () => boolean;
  /** Told right before it is sent. */
  readonly sending: () => void;
}

/** Sends one entry once, and says what the answer means. */
export async function deliver(entry: OutboxEntry, delivery: Delivery): Promise<Outcome> {
  const { call, next, settings } = delivery;
  const { clock } = call.host;
  const prepared = await prepare(entry, delivery);
  if ('is' in prepared) return { verdict: prepared };
  // Reading and signing took time, in which somebody else may have signed in; waiting below takes more.
  if (!delivery.allowed()) return { verdict: { is: 'gone' } };
  delivery.sending();
  const forbidden = new Error('this write is not the current user’s');
  const guard = (): void => {
    if (!delivery.allowed()) throw forbidden;
  };
  let response: Response;
  try {
    response = await next(prepared.request, { ...call, guard });
  } catch (error) {
    if (error === forbidden) return { verdict: { is: 'gone' } };
    const verdict = classifyError(error, clock.now());
    // What never left needs no attempt and leaves nothing open.
    return { verdict: call.attempts.length > 0 ? known(verdict, entry, settings) : verdict };
  }
  const asked = call.attempts.at(-1)?.origin ?? entry.origin;
  const verdict = await judged(response, asked, entry, prepared.body, call, settings);
  const body = await bodyOf(response, call);
  const reason = 'reason' in verdict ? withProblem(verdict.reason, response, body) : undefined;
  const result = {
    id: entry.id,
    settledAt: clock.now(),
    delivered: verdict.is === 'delivered',
    response: {
      ...facts(response),
      headers: [...response.headers].filter(([name]) => name !== 'set-cookie'),
    },
    ...(reason && { reason }),
    ...(typeof body === 'string' && { bodyLost: body }),
  };
  return {
    verdict: reason && 'reason' in verdict ? { ...verdict, reason } : verdict,
    settled: { result, body: typeof body === 'string' ? undefined : body },
  };
}

/** What an answer means for an entry, after all that the application has to say to it. */
async function judged(
  response: Response,
  asked: string,
  entry: OutboxEntry,
  body: StoredBody | undefined,
  call: Call,
  settings: OutboxSettings,
): Promise<Verdict> {
  const verdict = classifyResponse(response, asked, call.host.clock.now());
  if (verdict.is === 'delivered') return accepted(response, entry, call, settings);
  if (verdict.is === 'conflict')
    return decide(response, entry, revived(entry, body), call, verdict.reason, settings);
  return known(verdict, entry, settings);
}

/** A write that must not take effect twice is not sent again where it may have. */
function known(verdict: Verdict, entry: OutboxEntry, settings: OutboxSettings): Verdict {
  if (verdict.is !== 'again' || !isSentOnce(entry, settings) || !leavesOpen(verdict)) return verdict;
  return { is: 'dead', reason: { ...verdict.reason, code: 'unknown-outcome' } };
}

/** Whether a write is sent only as long as it is known not to have taken effect. */
export const isSentOnce = (
  { unknownOutcome, request: { method } }: OutboxEntry,
  settings: OutboxSettings,
): boolean => (unknownOutcome ?? settings.unknownOutcome) === 'dead' && !IDEMPOTENT_METHODS.includes(method);

/** Whether a 2xx is the origin's own, where the application can tell. */
async function accepted(
  response: Response,
  entry: OutboxEntry,
  call: Call,
  { accept }: OutboxSettings,
): Promise<Verdict> {
  if (!accept) return { is: 'delivered' };
  const reason: Reason = { code: 'not-accepted', status: response.status };
  const copy = response.clone();
  try {
    if (await within(HOOK_PATIENCE, call, accept(copy, entry))) return { is: 'delivered' };
    return { is: 'again', reason, cost: 'silence' };
  } catch (error) {
    return { is: 'again', reason: { ...reason, message: `accept: ${error}` }, cost: 'silence' };
  } finally {
    dropBody(copy);
  }
}

/** The request as it is to be sent, with the body that it is made of; or why it cannot be made. */
async function prepare(
  entry: OutboxEntry,
  { call, queue, settings }: Delivery,
): Promise<{ request: Request; body: StoredBody | undefined } | Verdict> {
  const { idempotencyHeader: name, authorize } = settings;
  if (entry.unreadable) return { is: 'dead', reason: { code: 'unreadable' } };
  try {
    if (isClaimed(entry, settings)) {
      const claimed = queue.claim(entry, call.host.clock.now());
      if (!(await within(STORE_PATIENCE, call, claimed))) return { is: 'gone' };
    }
    const body = await within(STORE_PATIENCE, call, queue.body(entry));
    // After its body: one that is removed in between must not go out without it.
    if (!(await within(STORE_PATIENCE, call, queue.has(entry)))) return { is: 'gone' };
    if (body === undefined && entry.size > 0)
      return {
        is: 'dead',
        reason: { code: 'body-lost', message: 'the store has the entry without its body' },
      };
    const keyed = (request: Request): Request => withKey(request, name, () => entry.idempotencyKey);
    const request = keyed(revived(entry, body));
    const signed = authorize && (await within(HOOK_PATIENCE, call, authorize(request, entry)));
    // A request that the hook made anew may have lost the key.
    return { request: signed ? keyed(signed) : request, body };
  } catch (error) {
    return { is: 'again', reason: reasonOf(error), cost: 'nothing' };
  }
}

/** Whether it has to be known on the disk that a sending begins: where others ask whether it is unsent, or a reload does. */
const isClaimed = (entry: OutboxEntry, settings: OutboxSettings): boolean =>
  entry.coalesce !== undefined || isSentOnce(entry, settings);

/** Nobody waits for it, so it has no total limit; the outbox counts attempts, so nobody below does. */
export function sendingOf(entry: OutboxEntry, home: Home): Call {
  const { timeout } = entry.options;
  const limits = typeof timeout === 'object' ? timeout : timeout === undefined ? {} : { attempt: timeout };
  const options = {
    ...entry.options,
    outbox: false,
    retry: false,
    timeout: timeout === false ? false : { ...limits, total: false },
  };
  return home.background({ origin: entry.origin, partition: entry.partition, options });
}

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
    const word = await within(HOOK_PATIENCE, call, settings.onConflict(copy, entry, sent));
    if (word === 'drop') return { is: 'delivered' };
    if (word === 'again') return again;
    if (word === 'dead') return { is: 'dead', reason };
    if (word instanceof Request) return { is: 'rewrite', reason, request: word };
    throw new TypeError(`it said '${word}' and not again, drop, dead or a request`);
  } catch (error) {
    return { is: 'dead', reason: { ...reason, message: `onConflict: ${error}` } };
  } finally {
    dropBody(copy);
  }
}

/** The status has told what matters; a body that breaks off, or is too large to keep, is not worth a second sending. */
async function bodyOf(
  response: Response,
  call: Call,
): Promise<Uint8Array<ArrayBuffer> | undefined | 'too large' | 'broken off'> {
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  try {
    reader = response.body?.getReader();
    if (!reader) return undefined;
    return (await within(RESULT_PATIENCE, call, readUpTo(reader, RESULT_BYTES))) ?? 'too large';
  } catch {
    reader?.cancel().catch(() => {});
    return 'broken off';
  }
}

function withProblem(reason: Reason, response: Response, body: Uint8Array | string | undefined): Reason {
  if (
    !(body instanceof Uint8Array) ||
    !/^application\/(problem\+)?json/.test(response.headers.get('content-type') ?? '')
  )
    return reason;
  try {
    return { ...reason, problem: JSON.parse(new TextDecoder().decode(body)) };
  } catch {
    return reason;
  }
}
