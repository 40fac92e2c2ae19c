import { snapshotOf } from '../../core/body.ts';
import { within } from '../../core/clock.ts';
import type { Call, Handler, Home } from '../../core/contract.ts';
import { facts } from '../../core/rebuild.ts';
import type { Settled } from './answers.ts';
import { classifyError, classifyResponse, type Verdict } from './classify.ts';
import { type OutboxEntry, type Reason, revived } from './entry.ts';
import type { OutboxSettings } from './options.ts';
import type { Queue } from './queue.ts';

/** How much of an answer's body is kept for `result(id)`. */
const RESULT_BYTES = 1_000_000;

/** Tries of a 409 before it is taken for a conflict: the key may still be in process from a sending whose answer was lost. */
const CONFLICT_TRIES = 3;

/** How long a hook of the application may take, in ms: a lane waits for it. */
const HOOK_PATIENCE = 30_000;

export interface Outcome {
  readonly verdict: Verdict;
  /** The origin's answer, where it may be the entry's last. */
  readonly settled?: Settled;
}

/** Sends one entry once, and says what the answer means. */
export async function deliver(
  entry: OutboxEntry,
  call: Call,
  next: Handler,
  queue: Queue,
  settings: OutboxSettings,
): Promise<Outcome> {
  const { clock } = call.host;
  let response: Response;
  try {
    const request = await prepared(entry, call, queue, settings);
    response = await next(request, call);
  } catch (error) {
    return { verdict: classifyError(error, clock.now()) };
  }
  let verdict = classifyResponse(response, entry, clock.now());
  if (verdict.is === 'conflict') verdict = await decide(response, entry, call, verdict.reason, settings);
  const body = await bodyOf(response);
  const reason = 'reason' in verdict ? withProblem(verdict.reason, response, body) : undefined;
  if (reason && verdict.is !== 'delivered') verdict = { ...verdict, reason };
  const result = {
    id: entry.id,
    settledAt: clock.now(),
    delivered: verdict.is === 'delivered',
    response: {
      ...facts(response),
      headers: [...response.headers].filter(([name]) => name !== 'set-cookie'),
    },
    ...(reason && { reason }),
  };
  return { verdict, settled: { result, body } };
}

async function prepared(
  entry: OutboxEntry,
  call: Call,
  queue: Queue,
  { idempotencyHeader, authorize }: OutboxSettings,
): Promise<Request> {
  const request = revived(entry, await queue.body(entry));
  if (idempotencyHeader && !request.headers.has(idempotencyHeader))
    request.headers.set(idempotencyHeader, entry.idempotencyKey);
  return (authorize && (await within(HOOK_PATIENCE, call, authorize(request, entry)))) || request;
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
  if (!settings.onConflict) {
    const inProcess = response.status === 409 && entry.attempts + 1 < CONFLICT_TRIES;
    return inProcess ? { is: 'again', reason } : { is: 'dead', reason };
  }
  try {
    const word = await within(HOOK_PATIENCE, call, settings.onConflict(response.clone(), entry));
    return word === 'drop' ? { is: 'delivered' } : { is: word, reason };
  } catch (error) {
    return { is: 'dead', reason: { ...reason, message: `onConflict: ${error}` } };
  }
}

/** The status has told what matters; a body that breaks off, or is too large to keep, is not worth a second sending. */
async function bodyOf(response: Response): Promise<Uint8Array<ArrayBuffer> | undefined> {
  try {
    return await snapshotOf(response, RESULT_BYTES);
  } catch {
    return undefined;
  }
}

function withProblem(reason: Reason, response: Response, body: Uint8Array | undefined): Reason {
  if (!body || !/^application\/(problem\+)?json/.test(response.headers.get('content-type') ?? ''))
    return reason;
  try {
    return { ...reason, problem: JSON.parse(new TextDecoder().decode(body)) };
  } catch {
    return reason;
  }
}
