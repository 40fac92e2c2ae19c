import { dropBody } from '../core/body/body.ts';
import { snapshotOf } from '../core/body/read-body.ts';
import { categoryOf, outcomeOf } from '../core/outcome.ts';
import { isProblem, PROBLEM_JSON, type ProblemDetails, problemFrom } from '../http/problem.ts';
import { retryAfter } from '../http/retry-after.ts';
import { systemClock } from '../primitives/clock.ts';
import type { Category, Failure } from '../primitives/failure.ts';

/** The longest body that is read as problem details, in bytes. */
const LONGEST = 64_000;

/**
 * The problem details of a response (RFC 9457), from a clone: the body can still be read.
 *
 * @returns `undefined` if there are none, or they cannot be read or are longer than 64 kB.
 *
 * @example
 * const response = await createFetch()(url);
 * if (!response.ok) showProblem((await problemOf(response))?.title ?? 'It did not work.');
 */
export async function problemOf(response: Response): Promise<ProblemDetails | undefined> {
  if (!isProblem(response)) return undefined;
  let copy: Response | undefined;
  try {
    copy = response.clone();
    const bytes = await snapshotOf(copy, LONGEST);
    return bytes && problemFrom(JSON.parse(new TextDecoder().decode(bytes)));
  } catch {
    dropBody(copy);
    return undefined;
  }
}

/** Statuses for the clients of this server: that an upstream failed, not how. */
const STATUSES: Readonly<Record<Category, number>> = {
  network: 502,
  timeout: 504,
  'rate-limit': 503,
  server: 502,
  client: 502,
  auth: 502,
  validation: 422,
  conflict: 409,
  parse: 502,
  'circuit-open': 503,
  capacity: 503,
  storage: 503,
  aborted: 503,
  configuration: 500,
  unknown: 500,
};

const TITLES: Readonly<Record<number, string>> = {
  409: 'Conflict',
  422: 'Unprocessable Content',
  500: 'Internal Server Error',
  502: 'Bad Gateway',
  503: 'Service Unavailable',
  504: 'Gateway Timeout',
};

export interface ProblemResponseOptions {
  /** Other statuses for some categories, such as `{ 'rate-limit': 429 }`. */
  readonly statuses?: Partial<Record<Category, number>>;
  /** Default: the id of the call that failed. */
  readonly requestId?: string;
  /** Members of your own (RFC 9457, 3.2); they are not checked for secrets. */
  readonly extensions?: Readonly<Record<string, unknown>>;
  /** Wall time in ms. Default: now. */
  readonly now?: number;
}

/**
 * The response of a server whose own call has failed: `application/problem+json` (RFC 9457) with a status by the category of
 * the error, `Retry-After` if the error has `retryAt`, and the request id. Nothing of the error's message,
 * origin, attempts or cause.
 *
 * @param error The thrown value, or a response that is a failure.
 *
 * @example
 * const fetch = createFetch();
 * const handle = (request: Request) => fetch(request).catch((error) => toProblemResponse(error));
 */
export function toProblemResponse(error: unknown, options: ProblemResponseOptions = {}): Response {
  const { statuses, extensions, now = systemClock.now() } = options;
  const category = categoryOf(error) ?? 'unknown';
  const { callId, retryAt } = factsOf(error, now);
  const requestId = options.requestId ?? callId;
  const status = statuses?.[category] ?? STATUSES[category];
  const headers = new Headers({ 'content-type': PROBLEM_JSON, 'cache-control': 'no-store' });
  const wait = retryAt === undefined ? Number.NaN : Math.max(1, Math.ceil((retryAt - now) / 1000));
  if (Number.isSafeInteger(wait)) headers.set('retry-after', String(wait));
  const problem = { ...extensions, type: 'about:blank', title: TITLES[status], status, category, requestId };
  return new Response(JSON.stringify(problem), { status, headers });
}

/** The public facts of a failure, or of an upstream's response. A thrown value may only look like a failure. */
function factsOf(error: unknown, now: number): Partial<Failure> {
  try {
    if (error instanceof Response) {
      const wait = retryAfter(error.headers, now);
      return { callId: outcomeOf(error)?.callId, ...(wait !== undefined && { retryAt: now + wait }) };
    }
    const { callId, retryAt } = (error ?? {}) as Record<string, unknown>;
    return {
      ...(typeof callId === 'string' && { callId }),
      ...(typeof retryAt === 'number' && { retryAt }),
    };
  } catch {
    return {};
  }
}
