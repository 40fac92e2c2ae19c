import { createAborter, Follower, follow, type ShutdownSignal } from '../primitives/abort.ts';
import { addFacts, isFailure } from '../primitives/failure.ts';
import type { LazyRequest } from '../primitives/request.ts';
import { type BodyWatcher, dropBody, type WatchedBody } from './body/body.ts';
import { declaredBodySize } from './body/request-body.ts';
import { isOwned, watchBody } from './body/watched-response.ts';
import type { Call, Host, Receiver } from './contract.ts';
import { ClosedError } from './errors.ts';
import { attachOutcome, type Source, sourceOf } from './outcome.ts';
import type { Start } from './run/segment.ts';

/** The end of a call: the signal that its policies follow, and what leaves the signals of others when it has settled. */
export interface CallEnd {
  readonly signal: AbortSignal;
  release(): void;
}

/** A signal that aborts with the caller's and with the pipeline, whichever is first. */
export function linked(
  caller: AbortSignal | undefined,
  closing: ShutdownSignal,
  { canShareIO }: Host,
): CallEnd {
  const own = createAborter();
  const unfollow = [canShareIO ? follow(closing.signal, own.abort) : closing.subscribe(own.abort)];
  if (caller) unfollow.push(follow(caller, own.abort));
  return {
    signal: own.signal,
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
export const perform = (
  start: Start,
  outgoing: LazyRequest,
  call: Call,
  end: CallEnd | undefined,
): Promise<Response> =>
  new Promise((resolve, reject) =>
    start(outgoing, call, new UnderWay(outgoing, call, end, { resolve, reject })),
  );

/** The end of a call, and then of its body, which the call's signal breaks. */
class UnderWay implements Receiver, BodyWatcher {
  /** Kept also because in Node, the signal of a `Request` that was collected does not abort any more. */
  readonly #outgoing: LazyRequest;
  readonly #call: Call;
  readonly #end: CallEnd | undefined;
  /** Until it has its outcome: a promise keeps its response from being collected. */
  #caller: Receiver | undefined;
  readonly #ended: Emitting | undefined;
  readonly #follower: Follower;
  #body: WatchedBody | undefined;
  mustSettle = false;

  constructor(outgoing: LazyRequest, call: Call, end: CallEnd | undefined, caller: Receiver) {
    this.#outgoing = outgoing;
    this.#call = call;
    this.#end = end;
    this.#caller = caller;
    this.#ended = call.emit && emitting(call.emit, outgoing, call);
    this.#follower = new Follower(call.signal, this);
  }

  reject(thrown: unknown): void {
    const { id: callId, origin, attempts, signal } = this.#call;
    this.#end?.release();
    // The pipeline closes for one reason; each call has an error of its own.
    const error = thrown instanceof ClosedError ? new ClosedError() : thrown;
    // A caller may abort with the error of another call of holdfast, which has the facts of that call.
    if (isFailure(error) && !(signal.aborted && error === signal.reason))
      addFacts(error, { callId, origin, request: this.#outgoing, attempts });
    this.#ended?.({ error });
    this.#caller?.reject(error);
    this.#caller = undefined;
  }

  resolve(response: Response): void {
    const { id: callId, origin, attempts, signal } = this.#call;
    try {
      // A transport, or a policy of the application's own, that is deaf to the signal.
      if (signal.aborted) {
        dropBody(response);
        throw signal.reason;
      }
      attachOutcome(response, { callId, origin, attempts });
      this.#ended?.({ status: response.status, source: sourceOf(response), ...sizeOf(response) });
      // Nothing but the caller, or a policy that depends on the body, has to know at once that a body which nothing reads is over.
      this.mustSettle = this.#end !== undefined || isOwned(response);
      this.#body = watchBody(response, this);
      if (this.mustSettle) this.#follower.begin();
      this.#caller?.resolve(response);
      this.#caller = undefined;
    } catch (error) {
      this.reject(error);
    }
  }

  aborted(reason: unknown): void {
    this.#body?.break(reason);
  }

  waiting(): void {
    this.#follower.begin();
  }

  arrived(): void {
    if (!this.mustSettle) this.#follower.leave();
  }

  settled(how: string, error?: unknown): void {
    const { id: callId, origin, emit } = this.#call;
    this.mustSettle = false;
    this.#follower.leave();
    this.#end?.release();
    if (how === 'broken') emit?.({ type: 'body-broken', callId, origin, error });
  }
}

type Emitting = ReturnType<typeof emitting>;

/** Emits that a call begins. @returns emits how it ended. */
function emitting(
  emit: NonNullable<Call['emit']>,
  outgoing: LazyRequest,
  { id: callId, origin, host: { clock }, attempts, options: { operation } }: Call,
) {
  const ticks = clock.ticks();
  const { method, url } = outgoing;
  const of = { callId, origin, method, ...(typeof operation === 'string' && { operation }) };
  const sent = outgoing.isMade ? declaredBodySize(outgoing.request) : 0;
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

/** Safari has no such symbol yet; there `await using`, as compilers write it, looks for this one. */
export const asyncDispose: typeof Symbol.asyncDispose =
  Symbol.asyncDispose ?? Symbol.for('Symbol.asyncDispose');
