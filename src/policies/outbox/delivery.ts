import { readUpTo } from '../../core/body.ts';
import { withDeadline } from '../../core/clock.ts';
import type { Call, Handler, PipelineContext } from '../../core/contract.ts';
import { ConfigurationError, StorageError } from '../../core/errors.ts';
import { responseMetadata } from '../../core/rebuild.ts';
import { withBody } from '../../core/replay.ts';
import type { StoredBody } from '../../core/store.ts';
import { withoutCredentials } from '../../http/credentials.ts';
import type { Settled } from './answers.ts';
import { classifyError, reasonOf, reasonOfHook, type Verdict } from './classify.ts';
import { type OutboxEntry, type Reason, revived, withKey } from './entry.ts';
import { isSentOnce, judged, knownOutcome } from './judge.ts';
import type { Lease } from './lease.ts';
import { HOOK_PATIENCE, type OutboxSettings, STORE_PATIENCE } from './options.ts';
import type { Queue } from './queue.ts';
import type { Supplied } from './supply.ts';

/** How much of an answer's body is kept for `result(id)`. */
const RESULT_BYTES = 1_000_000;

/** How long an answer's body may take, in ms: the write has been delivered, and its lane waits. */
const RESULT_PATIENCE = 10_000;

/** How much of one is kept as the problem of a reason, which lies beside the entry, where stores have little room. */
const PROBLEM_BYTES = 8_000;

/** How deep a problem may be: copying what is much deeper overflows the stack. */
const PROBLEM_LEVELS = 20;

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
  readonly lease: Lease | undefined;
  /** Whether the entry may be sent, as far as is known here. */
  readonly isAllowed: () => boolean;
  /** No other user has been seen since the delivery began. */
  readonly isSameUser: () => boolean;
  /** Told right before it is sent. */
  readonly sending: () => void;
}

/** Sends one entry once, and says what the answer means. */
export async function deliver(supplied: Supplied, delivery: Delivery): Promise<Outcome> {
  const { entry } = supplied;
  const { call, next, settings } = delivery;
  const { clock } = call.host;
  const prepared = await prepare(supplied, delivery);
  if ('is' in prepared) return { verdict: prepared };
  // Reading and signing took time: the hook may have put on the credentials of a user who signed in meanwhile.
  if (!delivery.isAllowed() || !delivery.isSameUser()) return { verdict: { is: 'gone' } };
  const unclaimed = await claim(entry, delivery);
  if (unclaimed) return { verdict: unclaimed };
  delivery.sending();
  const forbidden = new Error('this write is not to be sent any more');
  // The log of attempts does not tell: what has just run out of time is not in it yet.
  let hasLeft = false;
  const guard = (): void => {
    if (!delivery.isAllowed()) throw forbidden;
    hasLeft = true;
  };
  // A key that the origin may not know gives nobody leave to send it twice.
  const hasGeneratedKey = isSentOnce(entry, settings);
  let response: Response;
  try {
    // A transport that is deaf to its signal keeps no lane.
    response = await withDeadline(
      Infinity,
      call,
      next(prepared.request, { ...call, beforeSend: guard, hasGeneratedKey }),
    );
  } catch (error) {
    if (error === forbidden) {
      if (!hasLeft) await unclaim(entry, delivery);
      return { verdict: { is: 'gone' } };
    }
    const verdict = classifyError(error, clock.now());
    // What never left needs no attempt and leaves nothing open.
    return { verdict: hasLeft ? knownOutcome(verdict, entry, settings) : verdict };
  }
  const asked = call.attempts.at(-1)?.origin ?? entry.origin;
  const verdict = await judged(response, asked, entry, prepared.body, call, settings);
  const body = await bodyOf(response, call);
  const reason = 'reason' in verdict ? withProblem(verdict.reason, response, body) : undefined;
  const result = {
    id: entry.id,
    settledAt: clock.now(),
    delivered: verdict.is === 'delivered',
    response: { ...responseMetadata(response), headers: [...response.headers] },
    ...(reason && { reason }),
    ...(typeof body === 'string' && { bodyLost: body }),
  };
  return {
    verdict: reason && 'reason' in verdict ? { ...verdict, reason } : verdict,
    settled: { result, body: typeof body === 'string' ? undefined : body },
  };
}

/** The request as it is to be sent, with the body that it is made of; or why it cannot be made. */
async function prepare(
  supplied: Supplied,
  { call, queue, settings }: Delivery,
): Promise<{ request: Request; body: StoredBody | undefined } | Verdict> {
  const { entry } = supplied;
  const { idempotencyHeader: name, authorize } = settings;
  if (entry.unreadable) return { is: 'dead', reason: { code: 'unreadable' } };
  try {
    if (!(await supplied.isThere())) return { is: 'gone' };
    const body = await openedBody(supplied, queue);
    if (body === UNREADABLE)
      return { is: 'dead', reason: { code: 'unreadable', message: 'the body cannot be decrypted' } };
    if (body === undefined && entry.size > 0)
      return {
        is: 'dead',
        reason: { code: 'body-lost', message: 'the store has the entry without its body' },
      };
    const request = revived(entry, body, name);
    if (!authorize) return { request, body };
    let signed: Awaited<ReturnType<typeof authorize>>;
    try {
      signed = await withDeadline(HOOK_PATIENCE, call, authorize(request, entry));
    } catch (error) {
      return { is: 'again', reason: reasonOfHook('authorize', error), cost: 'nothing' };
    }
    // The hook may have taken its time.
    if (!(await supplied.isThere())) return { is: 'gone' };
    // A request that the hook made anew may have lost the key.
    const whole = signed ? withKey(signed, name, () => entry.idempotencyKey) : request;
    return { request: whole.bodyUsed ? unread(whole, request, body) : whole, body };
  } catch (error) {
    return { is: 'again', reason: reasonOf(error), cost: 'nothing' };
  }
}

const UNREADABLE = Symbol('unreadable');

/** @throws {StorageError} if the key is not available: it may be later. */
async function openedBody(
  supplied: Supplied,
  queue: Queue,
): Promise<StoredBody | undefined | typeof UNREADABLE> {
  try {
    return await queue.opened(supplied);
  } catch (error) {
    if (error instanceof StorageError) throw error;
    return UNREADABLE;
  }
}

/** A request whose body the hook has read, to sign it for instance. @throws {ConfigurationError} where it is not the one we gave it. */
function unread(signed: Request, given: Request, body: StoredBody | undefined): Request {
  if (signed === given && body !== undefined) return withBody(signed, body);
  throw new ConfigurationError(
    'outbox.authorize',
    signed,
    'expected a request whose body can still be read: read that of request.clone()',
  );
}

/** Says right before a sending that it begins, where that has to be known. @returns why it does not. */
async function claim(
  entry: OutboxEntry,
  { call, queue, settings, lease }: Delivery,
): Promise<Verdict | undefined> {
  if (!isClaimed(entry, settings)) return undefined;
  try {
    const claimed = await withDeadline(
      STORE_PATIENCE,
      call,
      queue.claim(entry, call.host.clock.now(), lease),
    );
    return claimed ? undefined : { is: 'gone' };
  } catch (error) {
    return { is: 'again', reason: reasonOf(error), cost: 'nothing' };
  }
}

/** Nothing was sent, and nobody is to think that it was now; but it may have been before. */
async function unclaim(
  entry: OutboxEntry,
  { call: { host }, queue, settings, lease }: Delivery,
): Promise<void> {
  if (!isClaimed(entry, settings)) return;
  await withDeadline(STORE_PATIENCE, { host }, queue.update(entry, { claimedAt: entry.claimedAt }, lease));
}

/** Whether it has to be known on the disk that a sending begins: where others ask whether it is unsent, or a reload does. */
const isClaimed = (entry: OutboxEntry, settings: OutboxSettings): boolean =>
  entry.coalesceKey !== undefined || isSentOnce(entry, settings);

/** Nobody waits for it, so it has no total limit; the outbox counts attempts, so nobody below does. */
export function sendingOf(entry: OutboxEntry, pipeline: PipelineContext): Call {
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

/** The status has told what matters; a body that breaks off, or is too large to keep, is not worth a second sending. */
async function bodyOf(
  response: Response,
  call: Call,
): Promise<Uint8Array<ArrayBuffer> | undefined | 'too large' | 'broken off'> {
  let reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  try {
    reader = response.body?.getReader();
    if (!reader) return undefined;
    return (await withDeadline(RESULT_PATIENCE, call, readUpTo(reader, RESULT_BYTES))) ?? 'too large';
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
