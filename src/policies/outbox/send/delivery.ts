import { readUpTo } from '../../../core/body/read-body.ts';
import { withBody } from '../../../core/body/request-body.ts';
import { responseMetadata } from '../../../core/body/response.ts';
import type { Call, PipelineContext } from '../../../core/contract.ts';
import { StorageError } from '../../../core/errors.ts';
import type { StoredBody } from '../../../core/store.ts';
import { watchUser } from '../../../core/user.ts';
import { withoutCredentials } from '../../../http/credentials.ts';
import { withDeadline } from '../../../primitives/clock.ts';
import { ConfigurationError } from '../../../primitives/failure.ts';
import type { OutboxContext } from '../context.ts';
import { HOOK_TIMEOUT } from '../options.ts';
import type { EntryWithBody, OutboxEntry, Reason, ResultWithBody } from '../queue/entry.ts';
import { type EntryRecord, isSameRevision } from '../queue/records.ts';
import { deserializeRequest, withKey } from '../queue/serialize.ts';
import { claim, type Sender, update } from '../queue/transitions.ts';
import {
  classifyError,
  evaluateResponse,
  hookFailed,
  isAtMostOnce,
  reasonOf,
  resolveAmbiguous,
  type SendOutcome,
} from './outcome.ts';

/** How long an entry is taken as current after it was read, in ms: about as long as a message of another tab takes. */
const FRESH = 50;

/** How much of a response body is stored for `result(id)`, in bytes. */
const RESULT_BYTES = 1_000_000;

/** How long a response body may take, in ms: the write has been delivered, and its lane waits. */
const RESULT_BODY_TIMEOUT = 10_000;

/** How much of one is stored as the problem of a reason: it is part of the entry's record, where stores have little room. */
const PROBLEM_BYTES = 8_000;

/** The deepest problem to copy: a much deeper one overflows the stack. */
const PROBLEM_LEVELS = 20;

/** An entry that is being sent. */
export interface EntryToSend extends EntryWithBody, Sender {
  /** When it was read, in ticks. */
  readonly readAt: number;
  /** Whether it may be sent, as far as is known in this page. */
  readonly isAllowed: () => boolean;
}

/** The outcome of a sending. */
interface Sent {
  readonly outcome: SendOutcome;
  readonly response?: ResultWithBody;
  /** Whether a request may have arrived besides the one that `response` belongs to: `failover` sends several. */
  readonly mayHaveArrived?: boolean;
}

/** Sends one entry once, and evaluates the response. */
export async function deliver(sending: EntryToSend, context: OutboxContext): Promise<Sent> {
  const { entry, isAllowed } = sending;
  const { pipeline, settings, events, next } = context;
  const { clock } = pipeline.host;
  const call = sendCall(entry, pipeline);
  const isSameUser = watchUser(entry.partition, pipeline);
  const prepared = await prepare(sending, call, context);
  if ('is' in prepared) return { outcome: prepared };
  // The slot and the hook took time: the hook may have used the credentials of another user, just signed in.
  if (!(await isStillStored(sending, context)) || !isAllowed() || !isSameUser())
    return { outcome: { is: 'skip' } };
  // Whether the store must know that sending begins: for coalescing, and for at-most-once after a reload.
  const isClaimed = entry.coalesceKey !== undefined || isAtMostOnce(entry, settings);
  if (isClaimed)
    try {
      if (!(await claim(context.queue, entry, clock.now(), sending.lease)))
        return { outcome: { is: 'skip' } };
    } catch (error) {
      return { outcome: { is: 'retry', reason: reasonOf(error), cost: 'none' } };
    }
  const { attempts, unreachableCount = 0 } = entry;
  events.emit(entry, { type: 'sending', attempt: attempts + unreachableCount + 1, callId: call.id });
  const forbidden = new Error('entry is no longer sendable');
  // The log of attempts is no evidence: an attempt that has just timed out is not in it yet.
  let left = 0;
  const beforeSend = (): void => {
    if (!isAllowed()) throw forbidden;
    left++;
  };
  // The origin may ignore the key: it is no permission to send the entry twice.
  const hasGeneratedKey = isAtMostOnce(entry, settings);
  let response: Response;
  try {
    // A transport that ignores its signal must not hold the lane.
    const sent = next(prepared.request, { ...call, beforeSend, hasGeneratedKey });
    response = await withDeadline(Infinity, call, sent);
  } catch (error) {
    if (error === forbidden || pipeline.signal.aborted) {
      // Nothing was sent, and nothing will be: restores the earlier claim, as an earlier attempt may have been sent.
      if (isClaimed && left === 0)
        await update(context.queue, entry, { claimedAt: entry.claimedAt }, sending.lease);
      return { outcome: { is: 'skip' } };
    }
    const outcome = classifyError(error, clock.now());
    // A request that never went out is not ambiguous.
    const mayHaveArrived = left > 0;
    return { outcome: mayHaveArrived ? resolveAmbiguous(outcome, entry, settings) : outcome, mayHaveArrived };
  }
  const outcome = await evaluateResponse(response, entry, prepared.body, call, settings);
  const body = await bodyOf(response, call);
  const result = {
    id: entry.id,
    finishedAt: clock.now(),
    delivered: outcome.is === 'ack',
    response: { ...responseMetadata(response), headers: [...response.headers] },
    ...(typeof body === 'string' && { bodyLost: body }),
  };
  return {
    outcome:
      'reason' in outcome ? { ...outcome, reason: withProblem(outcome.reason, response, body) } : outcome,
    mayHaveArrived: left > 1,
    response: { result, body: typeof body === 'string' ? undefined : body },
  };
}

/** Whether the store still has this revision; not read again within `FRESH`. */
async function isStillStored(
  { entry, readAt }: EntryToSend,
  { queue, pipeline }: OutboxContext,
): Promise<boolean> {
  if (pipeline.host.clock.ticks() - readAt <= FRESH) return true;
  return isSameRevision(await queue.value<EntryRecord>(entry.key), entry);
}

/** The request to send, with its stored body; or the outcome if it cannot be made. */
async function prepare(
  sending: EntryToSend,
  call: Call,
  { queue, settings }: OutboxContext,
): Promise<{ request: Request; body: StoredBody | undefined } | SendOutcome> {
  const { entry } = sending;
  const { idempotencyHeader: name, authorize } = settings;
  try {
    let body: StoredBody | undefined;
    try {
      body = await queue.encryption.decryptBody(sending);
    } catch (error) {
      // The key may be available later.
      if (error instanceof StorageError) throw error;
      return deadLetter('unreadable', 'the body cannot be decrypted');
    }
    if (body === undefined && entry.size > 0)
      return deadLetter('body-lost', 'the store has the entry without its body');
    const request = deserializeRequest(entry, body, name);
    if (!authorize) return { request, body };
    let signed: Awaited<ReturnType<typeof authorize>>;
    try {
      signed = await withDeadline(HOOK_TIMEOUT, call, authorize(request, entry));
    } catch (error) {
      return { is: 'retry', reason: reasonOf(error, hookFailed('authorize', error)), cost: 'none' };
    }
    const whole = signed ? withKey(signed, name, entry.idempotencyKey) : request;
    return { request: whole.bodyUsed ? withFreshBody(whole, request, body) : whole, body };
  } catch (error) {
    return { is: 'retry', reason: reasonOf(error), cost: 'none' };
  }
}

const deadLetter = (code: string, message: string): SendOutcome => ({
  is: 'dead-letter',
  reason: { code, message },
});

/** Restores a body that the hook has read, to sign it for instance. @throws {ConfigurationError} if it is not the request that we gave. */
function withFreshBody(signed: Request, given: Request, body: StoredBody | undefined): Request {
  if (signed === given && body !== undefined) return withBody(signed, body);
  throw new ConfigurationError(
    'outbox.authorize',
    signed,
    'expected a request whose body can still be read: read that of request.clone()',
  );
}

/** A call without a caller, hence without a total timeout; the outbox counts attempts, so `retry` does not. */
function sendCall(
  { options: own, origin, partition, request: { url } }: OutboxEntry,
  pipeline: PipelineContext,
): Call {
  const call = pipeline.background({
    url,
    origin,
    partition,
    options: { ...own, outbox: false, retry: false },
  });
  const { timeout } = call.options;
  if (timeout === false) return call;
  const limits = typeof timeout === 'object' ? timeout : timeout === undefined ? {} : { attempt: timeout };
  return { ...call, options: { ...call.options, timeout: { ...limits, total: false } } };
}

/** The status decides; a body that breaks off, or is too large to store, is no reason to send again. */
async function bodyOf(
  response: Response,
  call: Call,
): Promise<Uint8Array<ArrayBuffer> | undefined | 'too large' | 'broken off'> {
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  try {
    reader = response.body?.getReader();
    if (!reader) return undefined;
    return (await withDeadline(RESULT_BODY_TIMEOUT, call, readUpTo(reader, RESULT_BYTES))) ?? 'too large';
  } catch {
    reader?.cancel().catch(() => {});
    return 'broken off';
  }
}

function withProblem(reason: Reason, response: Response, body: Uint8Array | string | undefined): Reason {
  if (
    !(body instanceof Uint8Array) ||
    body.length > PROBLEM_BYTES ||
    !/^application\/(problem\+)?json/.test(response.headers.get('content-type') ?? '')
  )
    return reason;
  try {
    const problem: unknown = JSON.parse(new TextDecoder().decode(body));
    return isShallow(problem, PROBLEM_LEVELS) ? { ...reason, problem: withoutCredentials(problem) } : reason;
  } catch {
    return reason;
  }
}

const isShallow = (value: unknown, levels: number): boolean =>
  typeof value !== 'object' ||
  value === null ||
  (levels > 0 && Object.values(value).every((each) => isShallow(each, levels - 1)));
