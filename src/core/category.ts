import { type Category, isFailure } from './errors.ts';

const BY_STATUS: Readonly<Record<number, Category>> = {
  401: 'auth',
  403: 'auth',
  407: 'auth',
  408: 'timeout',
  409: 'conflict',
  412: 'conflict',
  422: 'validation',
  425: 'conflict',
  428: 'conflict',
  429: 'rate-limit',
};

/** All there are: what else an error calls its category is its own. */
const CATEGORIES: Readonly<Record<Category, true>> = {
  network: true,
  timeout: true,
  'rate-limit': true,
  server: true,
  client: true,
  auth: true,
  validation: true,
  conflict: true,
  parse: true,
  'circuit-open': true,
  capacity: true,
  storage: true,
  aborted: true,
  configuration: true,
  unknown: true,
};

const BY_NAME: Readonly<Record<string, Category>> = {
  AbortError: 'aborted',
  TimeoutError: 'timeout',
  SyntaxError: 'parse',
  SchemaValidationError: 'parse',
  NetworkError: 'network',
  QuotaExceededError: 'storage',
};

/**
 * What kind of failure it was, for anything that a call may end with: a response, an error of ours, of ky or of the
 * platform. Pure; an application that sees it otherwise asks its own function first.
 *
 * @returns `undefined` for a response that is no failure (below 400).
 *
 * @example
 * const mine = (outcome: unknown) => (outcome instanceof SoldOutError ? 'conflict' : categoryOf(outcome));
 */
export function categoryOf(outcome: unknown): Category | undefined {
  try {
    return found(outcome);
  } catch {
    // A getter or a proxy that throws: anything can be thrown.
    return 'unknown';
  }
}

function found(outcome: unknown): Category | undefined {
  if (outcome instanceof Response) return categoryOfStatus(outcome.status);
  if (isFailure(outcome)) return outcome.category;
  const { name, response, category } = (outcome ?? {}) as Record<string, unknown>;
  // ky's errors, with our facts on them or with the response.
  if (typeof category === 'string' && Object.hasOwn(CATEGORIES, category)) return category as Category;
  if (response instanceof Response) return categoryOfStatus(response.status) ?? 'unknown';
  return (Object.hasOwn(BY_NAME, String(name)) && BY_NAME[String(name)]) || 'unknown';
}

/** @returns `undefined` below 400. */
export function categoryOfStatus(status: number): Category | undefined {
  if (status < 400) return undefined;
  return BY_STATUS[status] ?? (status >= 500 ? 'server' : 'client');
}
