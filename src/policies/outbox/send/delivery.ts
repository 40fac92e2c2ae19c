import { readUpTo } from '../../../core/body/read-body.ts';
import { withBody } from '../../../core/body/request-body.ts';
import { responseMetadata } from '../../../core/body/response.ts';
import type { Call, Handler, PipelineContext } from '../../../core/contract.ts';
import { StorageError } from '../../../core/errors.ts';
import type { StoredBody } from '../../../core/store.ts';
import { withoutCredentials } from '../../../http/credentials.ts';
import { withDeadline } from '../../../primitives/clock.ts';
import { ConfigurationError } from '../../../primitives/failure.ts';
import { HOOK_TIMEOUT, type OutboxSettings, STORE_TIMEOUT } from '../options.ts';
import type { ResultWithBody } from '../queue/encryption.ts';
import { deserializeRequest, type OutboxEntry, type Reason, withKey } from '../queue/entry.ts';
import type { PendingEntry } from '../queue/entry-reader.ts';
import type { Lease } from '../queue/lease.ts';
import type { Queue } from '../queue/queue.ts';
import { evaluateResponse, isAtMostOnce, resolveAmbiguous } from './evaluate.ts';
import { classifyError, reasonOf, reasonOfHook, type SendOutcome } from './outcome.ts';

/** How much of a response body is stored for `result(id)`, in bytes. */
const RESULT_BYTES = 1_000_000;

/** How long a response body may take, in ms: the write has been delivered, and its lane waits. */
const RESULT_BODY_TIMEOUT = 10_000;

/** How much of one is stored as the problem of a reason: it is part of the entry's record, where stores have little room. */
const PROBLEM_BYTES = 8_000;

/** How deep a problem may be: copying what is much deeper overflows the stack. */
const PROBLEM_LEVELS = 20;

export interface DeliveryResult {
  readonly outcome: SendOutcome;
  /** The origin's response, if it may be the entry's last. */
  readonly settled?: ResultWithBody;
}

interface DeliveryContext {
  readonly call: Call;
  readonly next: Handler;
  readonly queue: Queue;
  readonly settings: OutboxSettings;
  readonly lease: Lease | undefined;
  /** Whether the entry may be sent, as far as is known here. */
  readonly isAllowed: () => boolean;
  /** No other user has been seen since the delivery began. */
  readonly isSameUser: () => boolean;
  /** Called right before the entry is sent. */
  readonly sending: () => void;
}

/** Sends one entry once, and evaluates the response. */
export async function deliver(pending: PendingEntry, delivery: DeliveryContext): Promise<DeliveryResult> {
  const { entry } = pending;
  const { call, next, settings } = delivery;
  const { clock } = call.host;
  const prepared = await prepare(pending, delivery);
  if ('is' in prepared) return { outcome: prepared };
  // Reading and signing took time: the hook may have used the credentials of another user, just signed in.
  if (!delivery.isAllowed() || !delivery.isSameUser()) return { outcome: { is: 'skip' } };
  const unclaimed = await claim(entry, delivery);
  if (unclaimed) return { outcome: unclaimed };
  delivery.sending();
  const forbidden = new Error('entry is no longer sendable');
  // The log of attempts is no evidence: an attempt that has just timed out is not in it yet.
  let hasLeft = false;
  const guard = (): void => {
    if (!delivery.isAllowed()) throw forbidden;
    hasLeft = true;
  };
  // The origin may ignore the key: it is no permission to send the entry twice.
  const hasGeneratedKey = isAtMostOnce(entry, settings);
  let response: Response;
  try {
    // A transport that ignores its signal must not hold the lane.
    response = await withDeadline(
      Infinity,
      call,
      next(prepared.request, { ...call, beforeSend: guard, hasGeneratedKey }),
    );
  } catch (error) {
    if (error === forbidden) {
      if (!hasLeft) await unclaim(entry, delivery);
      return { outcome: { is: 'skip' } };
    }
    const outcome = classifyError(error, clock.now());
    // A request that never went out is not ambiguous.
    return { outcome: hasLeft ? resolveAmbiguous(outcome, entry, settings) : outcome };
  }
  const asked = call.attempts.at(-1)?.origin ?? entry.origin;
  const outcome = await evaluateResponse(response, asked, entry, prepared.body, call, settings);
  const body = await bodyOf(response, call);
  const reason = 'reason' in outcome ? withProblem(outcome.reason, response, body) : undefined;
  const result = {
    id: entry.id,
    settledAt: clock.now(),
    delivered: outcome.is === 'ack',
    response: { ...responseMetadata(response), headers: [...response.headers] },
    ...(reason && { reason }),
    ...(typeof body === 'string' && { bodyLost: body }),
  };
  return {
    outcome: reason && 'reason' in outcome ? { ...outcome, reason } : outcome,
    settled: { result, body: typeof body === 'string' ? undefined : body },
  };
}

/** The request to send, with its stored body; or the outcome if it cannot be made. */
async function prepare(
  pending: PendingEntry,
  { call, queue, settings }: DeliveryContext,
): Promise<{ request: Request; body: StoredBody | undefined } | SendOutcome> {
  const { entry } = pending;
  const { idempotencyHeader: name, authorize } = settings;
  if (entry.unreadable) return { is: 'dead-letter', reason: { code: 'unreadable' } };
  try {
    if (!(await pending.isStillStored())) return { is: 'skip' };
    const body = await openedBody(pending, queue);
    if (body === UNREADABLE)
      return { is: 'dead-letter', reason: { code: 'unreadable', message: 'the body cannot be decrypted' } };
    if (body === undefined && entry.size > 0)
      return {
        is: 'dead-letter',
        reason: { code: 'body-lost', message: 'the store has the entry without its body' },
      };
    const request = deserializeRequest(entry, body, name);
    if (!authorize) return { request, body };
    let signed: Awaited<ReturnType<typeof authorize>>;
    try {
      signed = await withDeadline(HOOK_TIMEOUT, call, authorize(request, entry));
    } catch (error) {
      return { is: 'retry', reason: reasonOfHook('authorize', error), cost: 'none' };
    }
    // The hook may have taken long.
    if (!(await pending.isStillStored())) return { is: 'skip' };
    // A new request of the hook may lack the key.
    const whole = signed ? withKey(signed, name, () => entry.idempotencyKey) : request;
    return { request: whole.bodyUsed ? withFreshBody(whole, request, body) : whole, body };
  } catch (error) {
    return { is: 'retry', reason: reasonOf(error), cost: 'none' };
  }
}

const UNREADABLE = Symbol('unreadable');

/** @throws {StorageError} if the key is not available: it may be later. */
async function openedBody(
  pending: PendingEntry,
  queue: Queue,
): Promise<StoredBody | undefined | typeof UNREADABLE> {
  try {
    return await queue.decryptBody(pending);
  } catch (error) {
    if (error instanceof StorageError) throw error;
    return UNREADABLE;
  }
}

/** Restores a body that the hook has read, to sign it for instance. @throws {ConfigurationError} if it is not the request that we gave. */
function withFreshBody(signed: Request, given: Request, body: StoredBody | undefined): Request {
  if (signed === given && body !== undefined) return withBody(signed, body);
  throw new ConfigurationError(
    'outbox.authorize',
    signed,
    'expected a request whose body can still be read: read that of request.clone()',
  );
}

/** Records right before sending that it begins, if the entry needs that. @returns the outcome if it must not begin. */
async function claim(
  entry: OutboxEntry,
  { call, queue, settings, lease }: DeliveryContext,
): Promise<SendOutcome | undefined> {
  if (!isClaimed(entry, settings)) return undefined;
  try {
    const claimed = await withDeadline(STORE_TIMEOUT, call, queue.claim(entry, call.host.clock.now(), lease));
    return claimed ? undefined : { is: 'skip' };
  } catch (error) {
    return { is: 'retry', reason: reasonOf(error), cost: 'none' };
  }
}

/** Nothing was sent: restores the earlier claim, as an earlier attempt may have been sent. */
async function unclaim(
  entry: OutboxEntry,
  { call: { host }, queue, settings, lease }: DeliveryContext,
): Promise<void> {
  if (!isClaimed(entry, settings)) return;
  await withDeadline(STORE_TIMEOUT, { host }, queue.update(entry, { claimedAt: entry.claimedAt }, lease));
}

/** Whether the store must know that sending begins: for coalescing, and for at-most-once after a reload. */
const isClaimed = (entry: OutboxEntry, settings: OutboxSettings): boolean =>
  entry.coalesceKey !== undefined || isAtMostOnce(entry, settings);

/** A call without a caller, hence without a total timeout; the outbox counts attempts, so `retry` does not. */
export function sendCall(entry: OutboxEntry, pipeline: PipelineContext): Call {
  const { timeout } = entry.options;
  const limits = typeof timeout === 'object' ? timeout : timeout === undefined ? {} : { attempt: timeout };
  const options = {
    ...entry.options,
    outbox: false,
    retry: false,
    timeout: timeout === false ? false : { ...limits, total: false },
  };
  return pipeline.background({ origin: entry.origin, partition: entry.partition, options });
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
