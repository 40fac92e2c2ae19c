import { withoutQueries, withoutQuery } from '../primitives/failure.ts';
import { LazyRequest } from '../primitives/request.ts';
import { rememberBody } from './body/request-body.ts';
import { usedBody } from './body/watched-response.ts';
import type { Call, CallOptions } from './call.ts';
import { NOTHING } from './transport.ts';

/** In the options of a call: facts that only `createClient` sets. A symbol, so that no route or client option is overridden. */
export const CALL_FACTS: unique symbol = Symbol('holdfast.callFacts');

type CallFacts = Pick<Call, 'wantsBody' | 'transport' | 'toWire'>;

export interface WithCallFacts {
  readonly [CALL_FACTS]?: CallFacts;
}

/** The options of a call, with more facts. */
export const withFacts = <T extends WithCallFacts>(options: T | undefined, facts: CallFacts) => ({
  ...options,
  [CALL_FACTS]: { ...options?.[CALL_FACTS], ...facts },
});

/** In the options of a pipeline: the base URL of the client above it, by which two clients differ. */
export const BASE_URL: unique symbol = Symbol('holdfast.baseUrl');

/** The same options, any of which may also be `undefined`: then it counts as absent. */
export type OrUndefined<T> = { [K in keyof T]: T[K] | undefined };

/** The platform's `RequestInit` and the options of a call. */
export interface HoldfastInit<Options extends object = CallOptions>
  extends OrUndefined<Omit<RequestInit, 'signal'>> {
  /** `null` means none, `undefined` that of the `Request`. */
  signal?: AbortSignal | null | undefined;
  /** Options of this call, by policy. */
  holdfast?: Options | undefined;
}

/** The parts of a call as it came in. */
export interface NormalizedRequest {
  readonly outgoing: LazyRequest;
  /** The caller's signal; `undefined` if there is none. */
  readonly signal: AbortSignal | undefined;
  /** Fields that a `Request` does not keep and the runtime's fetch may understand. */
  readonly init: Readonly<Record<string, unknown>>;
}

const KEPT_BY_REQUEST: ReadonlySet<string> = new Set([
  'method',
  'headers',
  'body',
  'mode',
  'credentials',
  'cache',
  'redirect',
  'referrer',
  'referrerPolicy',
  'integrity',
  'keepalive',
  'signal',
  'window',
  'duplex',
]);

/**
 * Makes the `Request` and takes the signal out of it: a `Request` made with a long-lived signal costs a hundred times
 * one without, because it follows the signal. `init.signal` wins, `null` means none, `undefined` means the input's.
 *
 * @throws {TypeError} the error of the platform's `Request`: a bad URL, a used body, a forbidden method.
 */
export function normalizeRequest(
  input: Request | string | URL,
  init: HoldfastInit | undefined,
): NormalizedRequest {
  const given = input instanceof Request ? input : undefined;
  if (!init) return { outgoing: bare(given ?? input), signal: given?.signal, init: NOTHING };
  // The platform reads names that are not an object's own, too: those of a `Request`, or of a class.
  const { signal = given?.signal, holdfast: _, ...rest } = isPlain(init) ? init : ownNames(init);
  let extra: Record<string, unknown> | undefined;
  /** Nothing in the options changes the request itself. */
  let isBare = true;
  for (const name in rest)
    if (KEPT_BY_REQUEST.has(name)) isBare = false;
    else {
      extra ??= {};
      extra[name] = (rest as Record<string, unknown>)[name];
    }
  const outgoing = isBare
    ? bare(input)
    : lazy(
        rememberBody(
          made(input, { ...rest, signal: null } as RequestInit),
          init.body ?? (given ? undefined : null),
        ),
      );
  return { outgoing, signal: signal ?? undefined, init: extra ?? NOTHING };
}

const lazy = (request: Request): LazyRequest => new LazyRequest(request.url, request);

/** An absolute URL without a user needs no `Request` to be checked and put into its normal form. */
function bare(input: Request | string | URL): LazyRequest {
  if (input instanceof Request) return lazy(usable(input));
  const text = String(input);
  if (!/^https?:\/\/[^@]*$/i.test(text)) return lazy(made(input));
  const url = URL.parse?.(text)?.href;
  return url === undefined ? lazy(made(input)) : new LazyRequest(url);
}

const isPlain = (init: object): boolean => {
  const prototype = Object.getPrototypeOf(init);
  return prototype === Object.prototype || prototype === null;
};

/** All that a `RequestInit` may have, and what is the object's own. */
function ownNames(init: HoldfastInit): HoldfastInit {
  const own: Record<string, unknown> = { ...init };
  for (const name of KEPT_BY_REQUEST) {
    const value = (init as Record<string, unknown>)[name];
    if (value !== undefined) own[name] = value;
  }
  if (own.body && own.duplex === undefined && own.body instanceof ReadableStream) own.duplex = 'half';
  // Of a request to be navigated to, which no script may make, only the rest is taken.
  if (own.mode === 'navigate') delete own.mode;
  return own as HoldfastInit;
}

function made(input: Request | string | URL, init?: RequestInit): Request {
  try {
    // WebKit looks at parameters only when it sends them; by then they may have been changed.
    if (init?.body instanceof URLSearchParams) init = { ...init, body: new URLSearchParams(init.body) };
    return new Request(input, init);
  } catch (cause) {
    // Platforms say only "Invalid URL", or quote all of it.
    if (typeof input !== 'string' || URL.canParse(input, globalThis.location?.href)) {
      withoutQueries(cause);
      throw cause;
    }
    const place = withoutQuery(input).split(/[?#]/, 1)[0];
    throw new TypeError(`'${place}' is not an absolute URL, and there is no base to resolve it against`);
  }
}

/** The platform would say so only when the request is sent, after all that comes before. */
function usable(request: Request): Request {
  if (request.bodyUsed) throw usedBody();
  return request;
}
