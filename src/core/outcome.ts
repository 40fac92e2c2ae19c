import { type Attempt, type Category, isFailure } from '../primitives/failure.ts';

/** The call that a response belongs to. */
export interface Outcome {
  readonly callId: string;
  readonly origin: string;
  /** Every request that went over the wire for it, oldest first. */
  readonly attempts: readonly Attempt[];
}

const OUTCOME = Symbol('holdfast.outcome');

type Concluded = Response & { [OUTCOME]?: Outcome };

/** Called when the pipeline returns a response. Stored on the response itself: a weak map of all is slow to collect. */
export function attachOutcome(response: Response, outcome: Outcome): void {
  (response as Concluded)[OUTCOME] = outcome;
}

/**
 * How a call came to its response: its id and its attempts, which for a failure stand in the error.
 *
 * @returns `undefined` for a response that no pipeline gave, or for a clone.
 *
 * @example
 * const fetch = createFetch();
 * const response = await fetch(url);
 * log(outcomeOf(response)?.attempts.length); // 1, if nothing went wrong
 */
export const outcomeOf = (response: Response): Outcome | undefined => (response as Concluded)[OUTCOME];

/** Where a response came from. */
export type Source = 'network' | 'cache' | 'stale' | 'outbox' | 'fallback';

/** Set only on responses that are not the network's; the transport strips it from those that are. */
export const SOURCE_HEADER = 'holdfast-source';

const sources: readonly string[] = ['cache', 'stale', 'outbox', 'fallback'];

/**
 * Says where a response came from. The mark is a header, so that it survives `clone()` and code that rebuilds responses
 * (ky's hooks and progress do).
 *
 * @example
 * const fetch = createFetch({ partition: 'public', staleCache: staleCache() });
 * const response = await fetch(url);
 * if (sourceOf(response) === 'stale') badge('from before the connection was lost');
 */
export function sourceOf(response: Response): Source {
  const mark = response.headers.get(SOURCE_HEADER);
  return mark !== null && sources.includes(mark) ? (mark as Source) : 'network';
}

/**
 * Whether a write was accepted into the outbox and has no response yet.
 *
 * @example
 * const fetch = createFetch({ partition: 'public', outbox: outbox() });
 * const response = await fetch(url, { method: 'POST', body: '{}', holdfast: { outbox: true } });
 * if (isQueued(response)) show('It will be sent when you are online again.');
 */
export const isQueued = (response: Response): boolean =>
  sourceOf(response) === 'outbox' && response.status === 202;

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

const NAMED = [
  'network',
  'timeout',
  'rate-limit',
  'server',
  'client',
  'auth',
  'validation',
  'conflict',
  'parse',
  'circuit-open',
  'capacity',
  'storage',
  'aborted',
  'configuration',
  'unknown',
] as const;

/** All there are: what else an error calls its category is its own. */
export const CATEGORIES: Category extends (typeof NAMED)[number] ? readonly Category[] : never = NAMED;

const BY_NAME: Readonly<Record<string, Category>> = {
  AbortError: 'aborted',
  TimeoutError: 'timeout',
  SyntaxError: 'parse',
  SchemaValidationError: 'parse',
  NetworkError: 'network',
  QuotaExceededError: 'storage',
};

/**
 * What kind of failure it was, for anything that a call may end with: a response, an error of holdfast, of ky or of the
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
  if (CATEGORIES.includes(category as Category)) return category as Category;
  if (response instanceof Response) return categoryOfStatus(response.status) ?? 'unknown';
  return (Object.hasOwn(BY_NAME, String(name)) && BY_NAME[String(name)]) || 'unknown';
}

/** @returns `undefined` below 400. */
export function categoryOfStatus(status: number): Category | undefined {
  if (status < 400) return undefined;
  return BY_STATUS[status] ?? (status >= 500 ? 'server' : 'client');
}

/**
 * Whether a response of the library may take the place of a failure.
 *
 * @param byRule The decision of the policy's own rules.
 */
export function allowsFallback(
  { strategy }: { readonly strategy?: (outcome: unknown) => Strategy | undefined },
  outcome: unknown,
  byRule: boolean,
): boolean {
  const decision = strategy?.(outcome);
  if (decision === 'fall-back') return true;
  return decision === 'fail-fast' || decision === 'skip' ? false : byRule;
}

/** What is done about a failure; see `strategies`. */
export type Strategy = 'retry' | 'back-off' | 'fail-over' | 'fall-back' | 'skip' | 'fail-fast';
