import { type Aborter, aborter, follow } from '../core/abort.ts';
import { dropBody, watchBody } from '../core/body.ts';
import { layered, limit, memoized, readOptions } from '../core/check.ts';
import { type Call, type Handler, named, type Policy } from '../core/contract.ts';
import type { Duration } from '../core/durations.ts';
import { ConfigurationError, TimeoutError } from '../core/errors.ts';
import { hasBody, knownSize } from '../core/replay.ts';
import { isStreaming } from '../http/streaming.ts';

export interface TimeoutOptions {
  /** Until the response is handed over: all attempts, waits and queues. Default 30 s, or `attempt` where that is more. */
  readonly total?: Duration | false;
  /** From sending one request to its headers. Default 10 s. */
  readonly attempt?: Duration | false;
  /**
   * Between two chunks of a body, while a reader waits for one. Default 10 s for reads of the whole body (`json()`, `text()`,
   * …), and none for a body that is read chunk by chunk or is of a streaming type: pauses are part of them.
   */
  readonly idle?: Duration | false;
}

/** A duration alone is the attempt's. `false` switches off all three. */
export type TimeoutOption = TimeoutOptions | Duration | false;

interface Limits {
  total: number;
  attempt: number;
  idle: number;
  /** The application did not name them. */
  guessed: { total: boolean; attempt: boolean; idle: boolean };
}

const DEFAULTS = { total: 30_000, attempt: 10_000, idle: 10_000 };

/** Uploads larger than this take a time that nobody can guess. */
const LARGE_UPLOAD = 256_000;

const asObject = (given: unknown): TimeoutOptions =>
  given === false
    ? { total: given, attempt: given, idle: given }
    : typeof given === 'object'
      ? (given as TimeoutOptions)
      : { attempt: given as Duration };

/** @param own What is said last; where it contradicts `base`, it wins. */
export function readLimits(base: unknown, own: unknown = base): Limits {
  const last = asObject(own);
  const options = own === base ? last : layered('timeout', asObject(base), last);
  const read = readOptions('timeout', options, { total: limit, attempt: limit, idle: limit }, DEFAULTS);
  const guessed = {
    total: options.total === undefined,
    attempt: options.attempt === undefined,
    idle: options.idle === undefined,
  };
  if (read.attempt > read.total) {
    if (last.total === undefined) read.total = read.attempt;
    else if (last.attempt === undefined) read.attempt = read.total;
    else if (read.attempt !== Infinity)
      throw new ConfigurationError(
        'timeout.attempt',
        options.attempt,
        `expected at most total (${read.total} ms)`,
      );
  }
  return { ...read, guessed };
}

/** What the limits of a pipeline are where a call names none. */
function limitsFor(base: TimeoutOption | undefined): (call: Call) => Limits {
  const standard = readLimits(base ?? {});
  const merged = memoized((own) => readLimits(base ?? {}, own));
  return ({ options: { timeout } }) => (timeout === undefined ? standard : merged(timeout));
}

const isLargeUpload = (request: Request): boolean =>
  hasBody(request) && (knownSize(request) ?? Infinity) > LARGE_UPLOAD;

/**
 * Bounds the whole call until its response is handed over: attempts, backoff and queues.
 *
 * @param base Default: `total` 30 s; not for uploads over 256 kB or of unknown size unless it was named.
 * @throws {TimeoutError} code `timeout-total`.
 */
export function totalTimeout(base?: TimeoutOption): Policy {
  const limits = limitsFor(base);
  return named(
    'totalTimeout',
    (next) => (request, call) => {
      const { total, guessed } = limits(call);
      if (total === Infinity || (guessed.total && isLargeUpload(request))) return next(request, call);
      const deadline = call.host.clock.ticks() + total;
      return limited('total', total, next, request, { ...call, deadline });
    },
    { option: 'timeout' },
  );
}

/**
 * Bounds one attempt: the time to its headers, and the time between two chunks of its body.
 *
 * @param base Default: `attempt` 10 s; `idle` 10 s for reads of the whole body.
 * @throws {TimeoutError} code `timeout-attempt`; while the body is read, `timeout-idle`.
 */
export function attemptTimeout(base?: TimeoutOption): Policy {
  const limits = limitsFor(base);
  return named(
    'attemptTimeout',
    (next) => (request, call) => {
      const { attempt, idle, guessed } = limits(call);
      const ms = guessed.attempt && isLargeUpload(request) ? Infinity : attempt;
      if (ms === Infinity && idle === Infinity) return next(request, call);
      return limited('attempt', ms, next, request, call, (response, own) =>
        idleLimited(response, idle, guessed.idle, call, own),
      );
    },
    { option: 'timeout' },
  );
}

function refuse(
  limit: 'total' | 'attempt' | 'idle',
  ms: number,
  { id: callId, origin, emit }: Call,
): TimeoutError {
  emit?.({ type: 'timeout', callId, origin, limit, ms });
  return new TimeoutError(limit, ms, { callId, origin });
}

/** Races the handler against the clock and the caller, so that a transport deaf to its signal does not hang the call. */
function limited(
  kind: 'total' | 'attempt',
  ms: number,
  next: Handler,
  request: Request,
  call: Call,
  answered?: (response: Response, own: Aborter) => void,
): Promise<Response> {
  if (call.signal.aborted) return Promise.reject(call.signal.reason);
  return new Promise((resolve, reject) => {
    const own = aborter();
    let settled = false;
    const abort = (reason: unknown): void => {
      settle();
      own.abort(reason);
      reject(reason);
    };
    const cancel = call.host.clock.after(ms, () => abort(refuse(kind, ms, call)));
    const unfollow = follow(call.signal, abort);
    const settle = (): void => {
      settled = true;
      cancel();
      unfollow();
    };
    next(request, { ...call, signal: own.signal }).then(
      (response) => {
        if (settled) return dropBody(response);
        settle();
        answered?.(response, own);
        resolve(response);
      },
      (error) => {
        settle();
        reject(error);
      },
    );
  });
}

/**
 * The clock runs only while a reader waits for a chunk: a slow reader is not the origin's fault.
 *
 * @param wholeOnly The limit is for reads of the whole body, and not for streams.
 */
function idleLimited(response: Response, ms: number, wholeOnly: boolean, call: Call, own: Aborter): void {
  const isExempt = wholeOnly && isStreaming(response.headers.get('content-type'));
  const limit = isExempt ? Infinity : ms;
  const { clock } = call.host;
  let cancel: (() => void) | undefined;
  let since: number | undefined;
  // Clones may be read at the same time, each by a reader of its own.
  let readers = 0;
  // One timer a body, not one a chunk: it looks how long the reader has been waiting when it is over.
  const look = (): void => {
    const left = since === undefined ? limit : limit - (clock.ticks() - since);
    // Fractions of a millisecond may never add up to the limit.
    if (left < 1) body?.break(refuse('idle', ms, call));
    else cancel = since === undefined ? undefined : clock.after(left, look);
  };
  const body = watchBody(response, {
    waiting(whole) {
      if (wholeOnly && !whole) return;
      readers++;
      since = clock.ticks();
      cancel ??= clock.after(limit, look);
    },
    arrived(whole) {
      if (whole || !wholeOnly) readers--;
      since = readers > 0 ? clock.ticks() : undefined;
    },
    settled(how, error) {
      cancel?.();
      // Firefox goes on receiving a body whose stream was given up; its request it lets go of.
      if (how === 'broken') own.abort(error);
    },
  });
}
