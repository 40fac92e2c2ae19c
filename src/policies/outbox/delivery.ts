import { dropBody, readUpTo } from '../../core/body.ts';
import { within } from '../../core/clock.ts';
import type { Call, Handler, Home } from '../../core/contract.ts';
import { facts } from '../../core/rebuild.ts';
import type { Settled } from './answers.ts';
import { classifyError, classifyResponse, reasonOf, type Verdict } from './classify.ts';
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
  if (!(prepared instanceof Request)) return { verdict: prepared };
  // Reading and signing took time, in which somebody else may have signed in; waiting below takes more.
  if (!delivery.allowed()) return { verdict: { is: 'gone' } };
  delivery.sending();
  const forbidden = new Error('this write is not the current user’s');
  const guard = (): void => {
    if (!delivery.allowed()) throw forbidden;
  };
  let response: Response;
  try {
    response = await next(prepared, { ...call, guard });
  } catch (error) {
    if (error === forbidden) return { verdict: { is: 'gone' } };
    return { verdict: classifyError(error, clock.now()) };
  }
  const asked = call.attempts.at(-1)?.origin ?? entry.origin;
  let verdict = classifyResponse(response, asked, clock.now());
  if (verdict.is === 'conflict') verdict = await decide(response, entry, call, verdict.reason, settings);
  const body = await bodyOf(response, call);
  const reason = 'reason' in verdict ? withProblem(verdict.reason, response, body) : undefined;
  if (reason && 'reason' in verdict) verdict = { ...verdict, reason };
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
  return { verdict, settled: { result, body: typeof body === 'string' ? undefined : body } };
}

/** The request as it is to be sent, or why it cannot be made. */
async function prepare(entry: OutboxEntry, { call, queue, settings }: Delivery): Promise<Request | Verdict> {
  const { idempotencyHeader: name, authorize } = settings;
  try {
    const body = await within(STORE_PATIENCE, call, queue.body(entry));
    // After its body: one that is removed in between must not go out without it.
    if (!(await within(STORE_PATIENCE, call, queue.get(entry.key)))) return { is: 'gone' };
    if (body === undefined && entry.size > 0)
      return {
        is: 'dead',
        reason: { code: 'body-lost', message: 'the store has the entry without its body' },
      };
    const keyed = (request: Request): Request => withKey(request, name, () => entry.idempotencyKey);
    const request = keyed(revived(entry, body));
    const signed = authorize && (await within(HOOK_PATIENCE, call, authorize(request, entry)));
    // A request that the hook made anew may have lost the key.
    return signed ? keyed(signed) : request;
  } catch (error) {
    return { is: 'again', reason: reasonOf(error), cost: 'nothing' };
  }
}

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
    const word = await within(HOOK_PATIENCE, call, settings.onConflict(copy, entry));
    if (word === 'drop') return { is: 'delivered' };
    if (word === 'again') return again;
    if (word === 'dead') return { is: 'dead', reason };
    throw new TypeError(`it said '${word}' and not again, drop or dead`);
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
