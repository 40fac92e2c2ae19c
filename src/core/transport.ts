import { type Attempt, ConfigurationError, isFailure } from '../primitives/failure.ts';
import type { LazyRequest } from '../primitives/request.ts';
import { asResponse, createResponse, responseMetadata } from './body/response.ts';
import type { Call, Receiver } from './call.ts';
import { asNetworkError, saysNetwork } from './errors.ts';
import { SOURCE_HEADER } from './outcome.ts';

/** A fetch as the pipeline calls it: a `Request`, and what a `Request` does not keep. */
export type Fetch = (request: Request, init: RequestInit) => Promise<Response>;

/** What the transport has to know of one attempt, and writes of it. */
export class Sending {
  readonly call: Call;
  readonly outgoing: LazyRequest;
  readonly signal: AbortSignal;
  /** When the request went out: wall time in ms, and ticks. */
  startedAt = 0;
  startedTicks = 0;
  isSent = false;
  isLogged = false;

  constructor(call: Call, outgoing: LazyRequest, signal: AbortSignal) {
    this.call = call;
    this.outgoing = outgoing;
    this.signal = signal;
  }
}

/** What is inside a segment: the transport, or the next wrapper. */
export interface Inside {
  /** @param to Receives how the attempt ended, also what forbids to send. */
  send(attempt: Sending, to: Receiver): void;
  /** The run has gone on without this attempt. */
  abandoned?(attempt: Sending, reason: unknown): void;
}

/**
 * The innermost part of a pipeline: sends the request and keeps the log of attempts. What differs between engines is made
 * one here: the reason of an abort, the error of a network that failed.
 */
export class Transport implements Inside {
  readonly #fetch: Fetch | undefined;
  /** In case a fetch of holdfast is put in its place, which would lead back here. */
  readonly #platforms = globalThis.fetch;
  /** Of attempts that were given to what has replaced the platform's fetch since. */
  readonly #passed = new WeakSet<AbortSignal>();
  #isPassing = false;

  /** @param fetch One of the application's, which may have bugs. Default: the platform's, which is given the URL of a bare call. */
  constructor(fetch: Fetch | undefined) {
    this.#fetch = fetch;
  }

  send(sending: Sending, to: Receiver): void {
    try {
      this.#fetched(sending).then(
        (given) => {
          let response: Response;
          try {
            response = arrived(sending, given);
          } catch (error) {
            return to.reject(error);
          }
          to.resolve(response);
        },
        (cause) => to.reject(this.#failed(sending, cause)),
      );
    } catch (error) {
      to.reject(error);
    }
  }

  abandoned(sending: Sending, reason: unknown): void {
    if (sending.isSent) log(sending, undefined, nameOf(reason));
  }

  /**
   * The platform's fetch, for a call that is an attempt of this pipeline: instrumentation that wraps its fetch in the place of the
   * platform's leads back to it.
   */
  again(signal: AbortSignal | null | undefined): typeof fetch | undefined {
    return this.#isPassing || (signal && this.#passed.has(signal)) ? this.#platforms : undefined;
  }

  /** @throws what forbids to send. */
  #fetched(sending: Sending): Promise<unknown> {
    const { call, outgoing, signal } = sending;
    const { host, emit, origin, attempt } = call;
    if (signal.aborted) throw signal.reason;
    call.beforeSend?.();
    sending.isSent = true;
    sending.startedAt = host.clock.now();
    sending.startedTicks = host.clock.ticks();
    emit?.({ type: 'attempt-started', callId: call.id, origin, attempt, at: sending.startedAt });
    const changed = call.toWire?.(outgoing.request);
    const own = call.transport ?? this.#fetch;
    const init = call.init === NOTHING ? { signal } : { ...call.init, signal };
    if (!own) {
      // Looked up at each call, because tests and instrumentation replace it.
      const platforms = wrappedFetches.has(globalThis.fetch) ? this.#platforms : globalThis.fetch;
      this.#isPassing = platforms !== this.#platforms;
      if (this.#isPassing) this.#passed.add(signal);
      try {
        return platforms(changed ?? (outgoing.isMade ? outgoing.request : outgoing.url), init);
      } finally {
        this.#isPassing = false;
      }
    }
    try {
      return Promise.resolve(own(changed ?? outgoing.request, init));
    } catch (error) {
      // A transport of the application's own may throw where it should reject.
      return Promise.reject(error);
    }
  }

  #failed(sending: Sending, cause: unknown): unknown {
    const { signal, outgoing, call } = sending;
    let error = cause;
    // WebKit rejects with an AbortError of its own, and not with the reason.
    if (signal.aborted) error = signal.reason;
    // A transport of the application's own may have bugs.
    else if (!(call.transport ?? this.#fetch) || saysNetwork(cause))
      error = asNetworkError(cause, { request: outgoing, callId: call.id, origin: call.origin });
    log(sending, undefined, nameOf(error));
    return error;
  }
}

/** @throws {ConfigurationError} if what came is no response. */
function arrived(sending: Sending, response: unknown): Response {
  const own = asResponse(response, sending.outgoing.url);
  if (!own) {
    log(sending, undefined, 'configuration');
    throw new ConfigurationError('fetch', response, 'expected a promise of a Response');
  }
  log(sending, own.status);
  return own.headers.has(SOURCE_HEADER) ? withoutMark(own) : own;
}

/** The extra options of a call that has none. */
export const NOTHING: Readonly<Record<string, never>> = Object.freeze({});

/** Fetches of this library. */
export const wrappedFetches = new WeakSet<object>();

function log(sending: Sending, status: number | undefined, error = ''): void {
  const { call, startedAt, startedTicks } = sending;
  // The attempt was given up before its transport ended.
  if (sending.isLogged) return;
  sending.isLogged = true;
  const { attempt, origin } = call;
  const duration = call.host.clock.ticks() - startedTicks;
  const outcome: Attempt =
    status === undefined
      ? { attempt, origin, startedAt, duration, error }
      : { attempt, origin, startedAt, duration, status };
  call.attempts.push(outcome);
  call.emit?.({ type: 'attempt-ended', callId: call.id, ...outcome });
}

/** What a log calls an error: our code, else the platform's name. */
const nameOf = (error: unknown): string =>
  isFailure(error)
    ? error.code
    : error instanceof Error || error instanceof DOMException
      ? error.name
      : typeof error;

/** An origin that says its response came from our cache must not be believed. */
function withoutMark(response: Response): Response {
  const headers = new Headers(response.headers);
  headers.delete(SOURCE_HEADER);
  return createResponse(response.body, responseMetadata(response), headers);
}
