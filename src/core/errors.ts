import type { Attempt } from './attempt.ts';
import { LazyRequest } from './request.ts';

/** What kind of failure it was: what an application decides by. */
export type Category =
  | 'network'
  | 'timeout'
  | 'rate-limit'
  | 'server'
  | 'client'
  | 'auth'
  | 'validation'
  | 'conflict'
  | 'parse'
  | 'circuit-open'
  | 'capacity'
  | 'storage'
  | 'aborted'
  | 'configuration'
  | 'unknown';

/** The facts that every error of this library carries. */
export interface Failure {
  /** Machine-readable and stable, such as `'circuit-open'`. */
  readonly code: string;
  readonly category: Category;
  /** The same call may succeed later. */
  readonly transient: boolean;
  readonly callId?: string | undefined;
  readonly origin?: string | undefined;
  /** Every request that went over the wire for this call, oldest first. */
  readonly attempts: readonly Attempt[];
  /** Wall time in ms from which on it makes sense to come back. */
  readonly retryAt?: number | undefined;
  /** The request as it was given; not part of `toJSON()`. */
  readonly request?: Request | undefined;
}

export type Facts = Pick<Failure, 'code' | 'category'> &
  Omit<Partial<Failure>, 'request'> & {
    cause?: unknown;
    /** Made when it is read. */
    request?: Request | LazyRequest | undefined;
  };

/** In the text of a platform or of a server: URLs, of which Deno quotes all, and what is named as a secret. */
const UNTOLD = [
  /(\b[a-z][\w+.-]{0,9}:\/\/)(?:[^\s/)"'@]*@)?([^\s/?#)"']+)[^\s)"']*/gi,
  /([?#])()[^\s)"']*/g,
  /(pass(?:word|wd)?|secret|token|key|cookie|authorization)(["']?\s*[=:]\s*)(?:(?:Bearer|Basic)\s)?[^\s&;,]+/gi,
];

/** What a log may see: of a URL its origin, no header, no body, no cause. */
function failureToJSON(error: Error & Failure): Record<string, unknown> {
  const { name, code, category, transient, callId, origin, attempts, retryAt } = error;
  const message = UNTOLD.reduce((text, secret) => text.replace(secret, '$1$2…'), error.message);
  return { name, code, category, transient, message, callId, origin, attempts, retryAt };
}

/** The errors that carry the facts. */
const failures = /* @__PURE__ */ new WeakSet<object>();

function equip(error: Error, facts: Facts): void {
  failures.add(error);
  addFacts(error, { transient: false, attempts: [], ...facts });
}

/** Writes facts into an error. Consoles print neither `request`, which has headers, nor what only the application may see. */
export function addFacts(error: Error, { cause, request, ...facts }: Partial<Facts>): void {
  Object.assign(error, facts);
  if (request) hide(error, 'request', request);
  if (cause !== undefined) conceal(error, 'cause', cause);
}

/** Consoles and logs do not list it. */
const conceal = (error: Error, name: string, value: unknown): Error =>
  Object.defineProperty(error, name, { value, enumerable: false, configurable: true, writable: true });

/** An accessor, because Node's `%o` prints properties that are not enumerable. */
function hide(error: Error, name: string, value: unknown): void {
  const set = (next: unknown): void => {
    value = next;
  };
  const get = (): unknown => (value instanceof LazyRequest ? value.request : value);
  Object.defineProperty(error, name, { get, set, enumerable: false, configurable: true });
}

/** The base of our refusals. */
export class HoldfastError extends Error implements Failure {
  override name = 'HoldfastError';
  declare readonly code: string;
  declare readonly category: Category;
  declare readonly transient: boolean;
  declare readonly callId?: string;
  declare readonly origin?: string;
  declare readonly attempts: readonly Attempt[];
  declare readonly retryAt?: number;
  declare readonly request?: Request;

  constructor(message: string, facts: Facts) {
    super(message);
    equip(this, facts);
  }

  toJSON(): Record<string, unknown> {
    return failureToJSON(this);
  }
}

/** Options whose value is not shown. */
const SECRET = /passw|secret|token\b|api-?key|cookie|authorization|credentials?$/i;

/** An option that cannot be meant: the message names the option, the value and what is allowed. */
export class ConfigurationError extends HoldfastError {
  override name = 'ConfigurationError';
  /** Such as `'retry.limit'`. */
  declare readonly option: string;
  /** What is expected instead. */
  declare readonly allowed: string;

  constructor(option: string, value: unknown, allowed: string) {
    super(
      `${option}: ${show(SECRET.test(option) && typeof value === 'string' ? '…' : value)} is not allowed; ${allowed}`,
      {
        code: 'configuration',
        category: 'configuration',
      },
    );
    conceal(this, 'option', option);
    conceal(this, 'allowed', allowed);
  }
}

/** A time limit of ours has passed: code `timeout-total`, `timeout-attempt` or `timeout-idle`. */
export class TimeoutError extends HoldfastError {
  override name = 'TimeoutError';

  constructor(limit: 'total' | 'attempt' | 'idle', ms: number, facts?: Partial<Facts>) {
    super(`${limit} time limit of ${ms} ms passed`, {
      code: `timeout-${limit}`,
      category: 'timeout',
      transient: true,
      ...facts,
    });
  }
}

/** Which circuit did not let a call go, and what opened it. */
export interface CircuitFacts {
  /** An origin, or the URL of a path without its query. */
  readonly key: string;
  readonly is: 'closed' | 'open' | 'half-open' | 'isolated';
  /** Calls in a row that failed; calls in flight together count once. 0: too many were slow. */
  readonly failures?: number;
  /** How the last one failed: `'network'`, `'timeout-attempt'`, `'status 503'`, `'slow'`. */
  readonly lastFailure?: string;
}

/**
 * An origin (or one path of it) is down, and did not come back while the call waited; nothing was sent. `circuit` says which
 * and why, `retryAt` when the next probe is sent.
 */
export class CircuitOpenError extends HoldfastError {
  override name = 'CircuitOpenError';
  /** Absent where another part of the application made the error. */
  declare readonly circuit?: CircuitFacts;

  constructor(facts: Partial<Facts>, circuit?: CircuitFacts) {
    // The path is not in the message, which is logged: there may be a secret in it.
    const what = circuit && circuit.key !== facts.origin ? `a path of ${facts.origin}` : facts.origin;
    super(`circuit of ${what} is ${explained(circuit, facts.retryAt)}`, {
      code: 'circuit-open',
      category: 'circuit-open',
      transient: true,
      ...facts,
    });
    if (circuit) conceal(this, 'circuit', circuit);
  }
}

function explained({ is, failures, lastFailure }: Partial<CircuitFacts> = {}, retryAt?: number): string {
  if (is === 'isolated') return 'isolated by the application';
  if (is === 'closed') return 'closed again, and lets calls through a few at a time';
  const after = failures ? ` after ${failures} failed calls in a row` : '';
  const last = lastFailure ? ` (the last: ${lastFailure})` : '';
  const next = retryAt ? `; next probe at ${new Date(retryAt).toISOString()}` : '';
  return `open${after}${last}${next}`;
}

/** A store could not do what a write depends on; `cause` has the platform's error. Nothing was accepted. */
export class StorageError extends HoldfastError {
  override name = 'StorageError';

  constructor(message: string, facts?: Partial<Facts>) {
    super(message, { code: 'storage', category: 'storage', transient: true, ...facts });
  }
}

/** Which limit of ours is reached. `too-large` will not become smaller; the others pass. */
export type CapacityCode = 'outbox-full' | 'too-large' | 'bulkhead-full' | 'bulkhead-wait' | 'rate-limit';

/** A limit of ours is reached; nothing was sent. What was accepted before is kept. */
export class CapacityError extends HoldfastError {
  override name = 'CapacityError';

  constructor(code: CapacityCode, message: string, facts?: Partial<Facts>) {
    super(message, { code, category: 'capacity', transient: code !== 'too-large', ...facts });
  }
}

/** The pipeline was closed while the call was under way, or before. */
export class ClosedError extends HoldfastError {
  override name = 'ClosedError';

  constructor() {
    super('this fetch has been closed', { code: 'closed', category: 'aborted' });
  }
}

/**
 * No answer from the network. A `TypeError`, and named so, because that is what callers of `fetch` look for; its
 * message is the platform's own.
 */
export class NetworkError extends TypeError implements Failure {
  declare readonly code: string;
  declare readonly category: Category;
  declare readonly transient: boolean;
  declare readonly callId?: string;
  declare readonly origin?: string;
  declare readonly attempts: readonly Attempt[];
  declare readonly request?: Request;

  constructor(message: string, facts: Partial<Facts>) {
    super(message);
    equip(this, { code: 'network', category: 'network', transient: true, ...facts });
  }

  toJSON(): Record<string, unknown> {
    return failureToJSON(this);
  }
}

/** Properties of ky's errors that have headers or the content of a response. */
const PRIVATE = ['request', 'response', 'options', 'data', 'problem'];

/** Gives ky's errors the facts, so that they are printed and logged as ours are. The first facts of an error stay. */
export function equipped<E extends Error>(error: E, facts: Facts): E & Failure {
  if (isFailure(error)) return error;
  equip(error, facts);
  withoutQueries(error);
  for (const name of PRIVATE) if (name in error) hide(error, name, (error as never)[name]);
  const toJSON = (): Record<string, unknown> => failureToJSON(error as E & Failure);
  return Object.defineProperty(error, 'toJSON', { value: toJSON }) as E & Failure;
}

/** Whether an error is one of ours and so carries the facts. */
export const isFailure = (error: unknown): error is Error & Failure => failures.has(error as object);

/** A copy of an error of ours. The pipeline writes the facts of a call into its error, so two calls share none. */
export function cloneError(error: unknown): unknown {
  if (!isFailure(error)) return error;
  const copy: Error = Object.setPrototypeOf(new Error(error.message), Object.getPrototypeOf(error));
  const { stack: _, request, ...own } = Object.getOwnPropertyDescriptors(error);
  Object.defineProperties(copy, own);
  if (request) addFacts(copy, { request: error.request });
  failures.add(copy);
  return copy;
}

/**
 * What a platform's fetch or body rejects with when the network failed, made one for all engines: `TypeError` by the
 * Fetch standard, a plain `Error` in workerd, one with a `code` in Bun. Anything else
 * stays what it is.
 */
export function asNetworkError(error: unknown, facts: Partial<Facts> = {}): unknown {
  const failed =
    error instanceof TypeError ||
    (error instanceof Error && (error.constructor === Error || 'code' in error)) ||
    (error instanceof DOMException && error.name === 'NetworkError');
  if (!failed || isFailure(error)) return error;
  withoutQueries(error);
  return new NetworkError(error.message, { cause: error, ...facts });
}

/** What engines say when the network failed. */
const FAILED =
  /^ ?(network ?error|a network error|failed to fetch|fetch failed|load failed|response served by service worker|network request failed|network connection lost|terminated|error sending request|unable to connect|the internet connection|the socket connection|connection )/i;

/** Whether an error is known for one of the network, and not for a bug of a transport. */
export const saysNetwork = (error: unknown): boolean =>
  error instanceof Error &&
  (FAILED.test(error.message) || error.name === 'NetworkError' || hasCode(error) || hasCode(error.cause));

const hasCode = (error: unknown): boolean =>
  error instanceof Error && typeof (error as { code?: unknown }).code === 'string';

/** A URL within a text: scheme, user, place, query. Brackets and quotes may be part of it. */
const QUOTED_URL = /(\b[a-z][\w+.-]{0,9}:\/\/)(?:[^\s/?#]*@)?([^\s?#]*)([?#]\S*)?/gi;

/** What may follow a URL in a text. */
const CLOSING = `)]}>"',.;:`;

/** A text without users, passwords, queries and fragments of the URLs in it. */
export const withoutQuery = (text: string): string =>
  text.replace(
    QUOTED_URL,
    (_, scheme: string, place: string, query = '') =>
      scheme + place + query.slice(withoutClosing(query).length),
  );

/** A URL that was found in a text, without the punctuation after it. */
export function withoutClosing(found: string): string {
  let end = found.length;
  while (end > 0 && CLOSING.includes(found.charAt(end - 1))) end--;
  return found.slice(0, end);
}

/** Takes the queries of URLs, which may have secrets, out of what is printed of an error: Deno quotes them in messages, Bun in `path`. */
export function withoutQueries(error: unknown, depth = 0): void {
  if (!(error instanceof Error) || depth > 3) return;
  for (const name of ['message', 'stack', 'path'] as const) {
    const text = (error as { path?: unknown } & Error)[name];
    if (typeof text !== 'string' || !text.includes('://')) continue;
    const clean = withoutQuery(text);
    // An error of the application's own may be frozen.
    if (clean !== text) Reflect.set(error, name, clean);
  }
  withoutQueries(error.cause, depth + 1);
}

/** A secret may have got into the wrong option, or into a URL. Of an object the names only: messages are logged. */
function show(value: unknown): string {
  if (typeof value === 'string')
    return value.length > 80 ? `a text of ${value.length} characters` : `'${withoutQuery(value)}'`;
  if (typeof value === 'function') return 'a function';
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (Object(value) !== value) return String(value);
  const names = Object.keys(value as object).slice(0, 5);
  return `{${names.map((name) => ` ${name}: …`)}${names[0] ? ' ' : ''}}`;
}
