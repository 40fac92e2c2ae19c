import { aborter, follow } from './abort.ts';
import { dropBody, isOwned, watchBody } from './body.ts';
import type { Closing } from './closing.ts';
import type { Start } from './compose.ts';
import type { Call, Host } from './contract.ts';
import { addFacts, ClosedError, isFailure } from './errors.ts';
import { concludes } from './outcome.ts';
import { givenSize } from './replay.ts';
import type { LazyRequest } from './request.ts';
import { type Source, sourceOf } from './source.ts';

/** The end of a call: the signal that its policies follow, and what leaves the signals of others when it has settled. */
export interface CallEnd {
  readonly signal: AbortSignal;
  /** In Node, the signal of a `Request` that was collected does not abort any more. */
  readonly outgoing: LazyRequest;
  release(): void;
}

/** A signal that aborts with the caller's and with the pipeline, whichever is first. */
export function linked(
  caller: AbortSignal | undefined,
  closing: Closing,
  { sharesIO }: Host,
  outgoing: LazyRequest,
): CallEnd {
  const own = aborter();
  const unfollow = [sharesIO ? follow(closing.signal, own.abort) : closing.subscribe(own.abort)];
  if (caller) unfollow.push(follow(caller, own.abort));
  return {
    signal: own.signal,
    outgoing,
    release: () => {
      for (const end of unfollow) end();
    },
  };
}

/**
 * From here on the call is under way; it settles when its body has.
 *
 * @param end Absent if the call has no signal but that of its pipeline.
 */
export function perform(
  start: Start,
  outgoing: LazyRequest,
  call: Call,
  end: CallEnd | undefined,
): Promise<Response> {
  const { id: callId, origin, emit, attempts, signal } = call;
  const ended = emit && emitting(emit, outgoing, call);
  return new Promise((resolve, reject) => {
    const fail = (thrown: unknown): void => {
      end?.release();
      // The pipeline closes for one reason; each call has an error of its own.
      const error = thrown instanceof ClosedError ? new ClosedError() : thrown;
      if (isFailure(error)) addFacts(error, { callId, origin, request: outgoing, attempts });
      ended?.({ error });
      reject(error);
    };
    const succeed = (response: Response): void => {
      try {
        // A transport, or a policy of the application's own, that is deaf to the signal.
        if (signal.aborted) {
          dropBody(response);
          throw signal.reason;
        }
        concludes(response, { callId, origin, attempts });
        ended?.({ status: response.status, source: sourceOf(response), ...sizeOf(response) });
        watchEnd(response, call, end);
        resolve(response);
      } catch (error) {
        fail(error);
      }
    };
    start(outgoing, call, succeed, fail);
  });
}

/** Breaks the body with the call's signal. */
function watchEnd(
  response: Response,
  { id: callId, origin, emit, signal }: Call,
  end: CallEnd | undefined,
): void {
  let unfollow = (): void => {};
  let isOver = false;
  const settled = (how: string, error?: unknown): void => {
    isOver = true;
    unfollow();
    end?.release();
    if (how === 'broken') emit?.({ type: 'body-broken', callId, origin, error });
  };
  const breaks = (reason: unknown): void => body?.break(reason);
  // Nothing but the caller, or a policy that depends on the body, has to know at once that a body which nothing reads is over.
  const isHeld = end !== undefined || isOwned(response);
  const body = isHeld
    ? watchBody(response, { holds: true, settled })
    : watchBody(response, {
        settled,
        waiting() {
          unfollow();
          unfollow = follow(signal, breaks);
        },
        arrived: () => unfollow(),
      });
  if (isHeld && body && !isOver) unfollow = follow(signal, breaks);
}

/** Emits that a call begins. @returns emits how it ended. */
function emitting(
  emit: NonNullable<Call['emit']>,
  outgoing: LazyRequest,
  { id: callId, origin, host: { clock }, attempts, options: { operation } }: Call,
) {
  const ticks = clock.ticks();
  const { method, url } = outgoing;
  const of = { callId, origin, method, ...(typeof operation === 'string' && { operation }) };
  const sent = outgoing.isMade ? givenSize(outgoing.request) : 0;
  emit({ type: 'call-started', ...of, url, at: clock.now() });
  return (outcome: { status?: number; received?: number; source?: Source; error?: unknown }): void =>
    emit({
      type: 'call-ended',
      ...of,
      at: clock.now(),
      duration: clock.ticks() - ticks,
      attempts,
      ...(sent !== undefined && { sent }),
      ...outcome,
    });
}

function sizeOf({ headers }: Response): { received?: number } {
  const length = headers.get('content-length');
  return length !== null && /^\d+$/.test(length) ? { received: Number(length) } : {};
}
