import type { Clock } from '../core/contract.ts';
import type { Fetch } from '../core/transport.ts';
import type { VirtualClock } from './clock.ts';

/** The origin's reaction to one request. */
export type Step =
  | Response
  | Error
  | ((request: Request, signal: AbortSignal) => Response | Promise<Response>);

/** A request as the origin saw it. */
export interface Seen {
  readonly method: string;
  readonly url: string;
  readonly headers: Headers;
  readonly body: string;
  /** On the clock's ticks. */
  readonly at: number;
}

export interface ScriptedOrigin {
  /** The transport to give to a pipeline. */
  readonly fetch: Fetch;
  /** Everything that came, in order. */
  readonly seen: Seen[];
  /** Adds steps; a step is for one request. After the last step every response is `ok()`. */
  replies(...steps: Step[]): void;
  /** The response to requests without a step. */
  otherwise(step: Step): void;
}

/**
 * An origin that responds by a script, on the test's clock, and honours the signal as a platform's fetch does.
 *
 * @example
 * const host = testHost();
 * const origin = scriptedOrigin(host.clock);
 * const fetch = createFetch({ host, fetch: origin.fetch });
 * origin.replies(networkError(), ok('at last'));
 * await (await fetch('https://api.example.com/')).text(); // 'at last', after 300 ms of virtual time
 */
export function scriptedOrigin(clock: Pick<VirtualClock, 'ticks' | 'busy'>): ScriptedOrigin {
  const script: Step[] = [];
  const seen: Seen[] = [];
  let standard: Step = () => ok();
  return {
    seen,
    replies: (...steps) => void script.push(...steps),
    otherwise: (step) => {
      standard = step;
    },
    async fetch(request, { signal: given }) {
      const signal = given ?? new AbortController().signal;
      const { method, url, headers } = request;
      const at = clock.ticks();
      const step = script.shift() ?? standard;
      seen.push({ method, url, headers: new Headers(headers), body: await bodyOf(request, clock), at });
      signal.throwIfAborted();
      if (step instanceof Error) throw step;
      if (typeof step !== 'function') return step;
      return new Promise((resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
        new Promise<Response>((give) => give(step(request, signal))).then(resolve, reject);
      });
    },
  };
}

/** A request without a body is sent again as it is, so it must not be read: happy-dom would call it used. */
const bodyOf = async (request: Request, clock: Pick<VirtualClock, 'busy'>): Promise<string> =>
  ['GET', 'HEAD'].includes(request.method) ? '' : clock.busy(request.text());

/**
 * A response; text comes in the same turn of the event loop, which a browser's own bodies do not.
 *
 * @example
 * const origin = scriptedOrigin(virtualClock());
 * origin.replies(ok('{"id":1}'));
 */
export const ok = (
  body: ConstructorParameters<typeof Response>[0] = 'ok',
  init: ResponseInit = {},
): Response => (typeof body === 'string' ? textual(body, init) : new Response(body, init));

/**
 * A response with a status and, perhaps, headers.
 *
 * @example
 * const origin = scriptedOrigin(virtualClock());
 * origin.replies(status(503, { 'retry-after': '5' }), ok());
 */
export const status = (code: number, headers: ConstructorParameters<typeof Headers>[0] = {}): Response =>
  [204, 205, 304].includes(code)
    ? new Response(null, { status: code, headers })
    : textual(`status ${code}`, { status: code, headers });

function textual(text: string, init: ResponseInit): Response {
  const headers = new Headers(init.headers);
  if (!headers.has('content-type')) headers.set('content-type', 'text/plain;charset=UTF-8');
  const stream = new ReadableStream({
    start(controller) {
      if (text) controller.enqueue(new TextEncoder().encode(text));
      controller.close();
    },
  });
  return new Response(stream, { ...init, headers });
}

/**
 * As platforms say it: with a code, by which any message is known for one of the network.
 *
 * @example
 * const origin = scriptedOrigin(virtualClock());
 * origin.replies(networkError());
 */
export const networkError = (message = 'Failed to fetch'): TypeError =>
  Object.assign(new TypeError(message), { code: 'ECONNREFUSED' });

/**
 * Never responds.
 *
 * @example
 * const host = testHost();
 * const origin = scriptedOrigin(host.clock);
 * origin.otherwise(hang());
 */
export const hang = (): Step => () => new Promise(() => {});

/**
 * Responds after `ms` on the clock.
 *
 * @example
 * const host = testHost();
 * const origin = scriptedOrigin(host.clock);
 * origin.replies(slow(host.clock, 3_000, () => ok('late')));
 */
export const slow =
  (clock: Clock, ms: number, response: () => Response = () => ok()): Step =>
  (_, signal) =>
    new Promise((resolve) => {
      const cancel = clock.after(ms, () => resolve(response()));
      signal.addEventListener('abort', cancel, { once: true });
    });

/**
 * A body that breaks off after its first part.
 *
 * @example
 * scriptedOrigin(virtualClock()).replies(brokenBody('{"items":['));
 */
export function brokenBody(part = 'half'): Response {
  const chunks = [new TextEncoder().encode(part)];
  return new Response(
    new ReadableStream({
      pull(controller) {
        const chunk = chunks.shift();
        if (chunk) controller.enqueue(chunk);
        else controller.error(new TypeError('terminated'));
      },
    }),
  );
}

/**
 * A body that stops after its first part and never goes on; `cancelled` tells whether its reader gave it up.
 *
 * @example
 * const { response, cancelled } = stalledBody('{"items":[');
 * scriptedOrigin(virtualClock()).replies(response);
 * cancelled(); // true once the body was dropped
 */
export function stalledBody(part = 'half'): { response: Response; cancelled: () => boolean } {
  let gone = false;
  const stream = new ReadableStream({
    start: (controller) => controller.enqueue(new TextEncoder().encode(part)),
    cancel: () => {
      gone = true;
    },
  });
  return { response: new Response(stream), cancelled: () => gone };
}
