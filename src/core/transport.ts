import type { Attempt } from './attempt.ts';
import type { Call, Handler } from './contract.ts';
import { asNetworkError, ConfigurationError, isFailure, saysNetwork } from './errors.ts';
import { facts, rebuilt } from './rebuild.ts';
import { SOURCE_HEADER } from './source.ts';

/** A fetch as the pipeline calls it: a `Request`, and what a `Request` does not keep. */
export type Fetch = (request: Request, init: RequestInit) => Promise<Response>;

/**
 * The innermost handler: sends the request and keeps the log of attempts. What differs between engines is made one
 * here: the reason of an abort, the error of a network that failed.
 *
 * @param isPlatforms `fetch` is the platform's own, and not one of the application's, which may have bugs.
 */
export function transport(fetch: Fetch, isPlatforms: boolean): Handler {
  return (request, call) => {
    const { attempt, origin, host, attempts, emit, signal } = call;
    if (signal.aborted) return Promise.reject(signal.reason);
    try {
      call.guard?.();
    } catch (error) {
      return Promise.reject(error);
    }
    const startedAt = host.clock.now();
    const ticks = host.clock.ticks();
    emit?.({ type: 'attempt-started', callId: call.id, origin, attempt, at: startedAt });
    const log = (status: number | undefined, error?: string): void => {
      const outcome: Attempt = {
        attempt,
        origin,
        startedAt,
        duration: host.clock.ticks() - ticks,
        ...(error === undefined ? { status: status as number } : { error }),
      };
      attempts.push(outcome);
      emit?.({ type: 'attempt-ended', callId: call.id, ...outcome });
    };
    return sent(call.transport ?? fetch, request, { ...call.init, signal }).then(
      (response) => {
        const own = isPlatformsOwn(response) ? response : adopted(response, request);
        if (!own) {
          log(undefined, 'configuration');
          throw new ConfigurationError('fetch', response, 'expected a promise of a Response');
        }
        log(own.status);
        return own.headers.has(SOURCE_HEADER) ? withoutMark(own) : own;
      },
      (cause) => {
        const error = translated(cause, request, call, isPlatforms && !call.transport);
        log(undefined, nameOf(error));
        throw error;
      },
    );
  };
}

/** The getter of the platform's class rejects what only looks like a `Response`. */
function isPlatformsOwn(response: unknown): response is Response {
  if (!(response instanceof Response)) return false;
  try {
    return Reflect.get(Response.prototype, 'status', response) !== undefined;
  } catch {
    return false;
  }
}

/** A `Response` of the platform made from one of another class: of npm's undici, of node-fetch, of another realm. */
function adopted(foreign: unknown, { url }: Request): Response | undefined {
  const { status, headers, body } = (foreign ?? {}) as Partial<Response>;
  if (typeof status !== 'number' || typeof headers?.get !== 'function') return undefined;
  const stream = streamFrom(body);
  if (stream === undefined) return undefined;
  const known = { statusText: '', url, type: 'default', redirected: false } as const;
  const said = Object.entries(facts(foreign as Response)).filter(([, value]) => value !== undefined);
  return rebuilt(stream, { status, ...known, ...Object.fromEntries(said) }, [...headers]);
}

/** node-fetch has streams of Node, which can be iterated. */
function streamFrom(body: unknown): ReadableStream | null | undefined {
  if (body === null) return null;
  if (typeof (body as ReadableStream | undefined)?.getReader === 'function') return body as ReadableStream;
  const { from } = ReadableStream as { from?: (chunks: unknown) => ReadableStream };
  return isIterable(body) ? from?.call(ReadableStream, copied(body)) : undefined;
}

const isIterable = (body: unknown): body is AsyncIterable<Uint8Array> => Symbol.asyncIterator in Object(body);

/** A buffer of Node may be a part of a pool, which is not to be handed on. */
async function* copied(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  for await (const chunk of chunks) yield new Uint8Array(chunk);
}

/** A transport of the application's own may throw where it should reject. */
function sent(fetch: Fetch, request: Request, init: RequestInit): Promise<Response> {
  try {
    return Promise.resolve(fetch(request, init));
  } catch (error) {
    return Promise.reject(error);
  }
}

/** What a log calls an error: our code, else the platform's name. */
const nameOf = (error: unknown): string =>
  isFailure(error)
    ? error.code
    : error instanceof Error || error instanceof DOMException
      ? error.name
      : typeof error;

function translated(cause: unknown, request: Request, call: Call, isPlatforms: boolean): unknown {
  // WebKit rejects with an AbortError of its own whatever the reason was.
  if (call.signal.aborted) return call.signal.reason;
  if (!isPlatforms && !saysNetwork(cause)) return cause;
  return asNetworkError(cause, { request, callId: call.id, origin: call.origin });
}

/** An origin that says its answer came from our cache must not be believed. */
function withoutMark(response: Response): Response {
  const headers = new Headers(response.headers);
  headers.delete(SOURCE_HEADER);
  return rebuilt(response.body, facts(response), headers);
}
