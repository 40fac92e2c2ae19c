import { LazyRequest } from './request.ts';

/** One request on the wire. */
export interface Attempt {
  readonly attempt: number;
  readonly origin: string;
  /** Wall time in ms. */
  readonly startedAt: number;
  /** Milliseconds to the headers or to the failure. */
  readonly duration: number;
  /** The status of the response; absent if there was none. */
  readonly status?: number;
  /** Why there was no response: the `code` of our errors, else the error's name. */
  readonly error?: string;
}

/** The kind of a failure, for decisions of the application. */
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

/** In the text of a platform or of a server: the paths of URLs, of which Deno quotes all, queries, and values with names of secrets. */
const SECRETS = [
  /(:\/\/[^\s/)"']+)()[^\s)"']*/g,
  /([?#])()[^\s)"']*/g,
  /(pass(?:word|wd)?|secret|token|key|cookie|authorization)(["']?\s*[=:]\s*)(?:(?:Bearer|Basic)\s)?[^\s&;,]+/gi,
];

/** Facts for a log: of a URL its origin, no header, no body, no cause. */
export function failureToJSON(error: Error & Failure): Record<string, unknown> {
  // No other property: a validation error contains the server's data.
  const { name, code, category, transient, callId, origin, attempts, retryAt } = error;
  let message = withoutQuery(error.message);
  for (const secret of SECRETS) message = message.replace(secret, '$1$2…');
  return { name, code, category, transient, message, callId, origin, attempts, retryAt };
}

/** The errors that carry the facts. */
const failures = /* @__PURE__ */ new WeakSet<object>();

export function equip(error: Error, facts: Facts): void {
  failures.add(error);
  Object.assign(error, { transient: false, attempts: [] });
  addFacts(error, facts);
}

const FACTS = ['code', 'category', 'transient', 'callId', 'origin', 'attempts', 'retryAt'] as const;

/** Writes facts into an error. Consoles print neither `request`, which has headers, nor facts for the application only. */
export function addFacts(error: Error, facts: Partial<Facts>): void {
  // Name by name: a copy of the facts costs more than all of them.
  for (const name of FACTS)
    if (facts[name] !== undefined) (error as Error & Record<string, unknown>)[name] = facts[name];
  const { cause, request } = facts;
  if (request) hide(error, 'request', request);
  if (cause !== undefined) conceal(error, 'cause', cause);
}

/** Consoles and logs do not list it. */
export const conceal = (error: Error, name: string, value: unknown): Error =>
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

/** An invalid option: the message names the option, the value and what is allowed. */
export class ConfigurationError extends HoldfastError {
  override name = 'ConfigurationError';
  /** Such as `'retry.limit'`. */
  declare readonly option: string;
  /** The allowed values. */
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

/** Properties of ky's errors that have headers or the content of a response. */
const PRIVATE = ['request', 'response', 'options', 'data', 'problem'];

/** Gives ky's errors the facts, so that they are printed and logged as those of holdfast are. The first facts of an error stay. */
export function equipped<E extends Error>(error: E, facts: Facts): E & Failure {
  if (isFailure(error)) return error;
  equip(error, facts);
  withoutQueries(error);
  for (const name of PRIVATE) if (name in error) hide(error, name, (error as never)[name]);
  const toJSON = (): Record<string, unknown> => failureToJSON(error as E & Failure);
  return Object.defineProperty(error, 'toJSON', { value: toJSON }) as E & Failure;
}

/**
 * Whether an error is one of holdfast's and so carries the facts.
 *
 * @example
 * try {
 *   await createFetch()(url);
 * } catch (error) {
 *   if (isFailure(error) && error.transient) comeBack(error.retryAt);
 * }
 */
export const isFailure = (error: unknown): error is Error & Failure => failures.has(error as object);

/** A copy of an error of holdfast. The pipeline writes the facts of a call into its error, so two calls share none. */
export function cloneError(error: unknown): unknown {
  if (!isFailure(error)) return error;
  const copy: Error = Object.setPrototypeOf(new Error(error.message), Object.getPrototypeOf(error));
  const { stack: _, request, ...own } = Object.getOwnPropertyDescriptors(error);
  Object.defineProperties(copy, own);
  if (request) addFacts(copy, { request: error.request });
  failures.add(copy);
  return copy;
}

/** A URL within a text: scheme, user, place, query. Brackets and quotes may be part of it. */
const QUOTED_URL = /(\b[a-z][\w+.-]{0,9}:\/\/)(?:[^\s/?#]*@)?([^\s?#]*)([?#]\S*)?/gi;

/** Characters that may follow a URL in a text. */
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

/** Takes the queries of URLs, which may have secrets, out of a printed error: Deno quotes them in messages, Bun in `path`. */
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
