import { isFailure } from '../../core/errors.ts';
import { originOf } from '../../core/origins.ts';
import { retryAfter } from '../../http/retry-after.ts';
import { isOriginFailure } from '../../http/status.ts';
import type { Reason } from './entry.ts';

/**
 * What a failure takes from an entry's attempts.
 *
 * - `attempt`: one; the origin has answered.
 * - `silence`: nobody answered, which is no fault of the write; it costs one an hour.
 * - `nothing`: nothing was sent.
 * - `refusal`: nothing was sent, and asking again costs nobody anything, so the wait does not grow.
 */
export type Cost = 'attempt' | 'silence' | 'nothing' | 'refusal';

/** What an answer, or its absence, means for an entry. */
export type Verdict =
  | { readonly is: 'delivered' }
  /** `wait`: the origin asked for so many ms. */
  | {
      readonly is: 'again';
      readonly reason: Reason;
      readonly cost: Cost;
      readonly wait?: number | undefined;
      /** The application says that it was not the origin who answered. */
      readonly isForeign?: true;
    }
  /** The origin wants credentials. */
  | { readonly is: 'pause'; readonly reason: Reason }
  | { readonly is: 'conflict'; readonly reason: Reason }
  /** The application wants this to be sent instead. */
  | { readonly is: 'rewrite'; readonly reason: Reason; readonly request: Request }
  | { readonly is: 'dead'; readonly reason: Reason }
  /** It was removed, or is somebody else's now: nothing was sent. */
  | { readonly is: 'gone' };

/** @param asked The origin that was asked, which is another one after failover. */
export function classifyResponse(response: Response, asked: string, now: number): Verdict {
  const { status } = response;
  const reason: Reason = { code: 'http', status };
  // A captive portal answers everything with its login page.
  const strayed =
    response.type === 'opaqueredirect' || (response.redirected && originOf(response.url) !== asked);
  if (strayed) return { is: 'again', reason: { code: 'redirected', status }, cost: 'silence' };
  if (response.ok) return { is: 'delivered' };
  if (status === 401) return { is: 'pause', reason };
  if (status === 409 || status === 412) return { is: 'conflict', reason };
  if (isOriginFailure(status) || status === 425 || status === 429)
    return { is: 'again', reason, cost: 'attempt', wait: retryAfter(response.headers, now) };
  return { is: 'dead', reason };
}

/**
 * Of a write that must not take effect twice: whether this leaves open that it has taken effect. What says of itself that
 * the request was not processed (408, 425, 429, 503), does not. A redirect to another origin does: it may be the answer to what
 * was done.
 */
export const leavesOpen = ({ reason, cost, isForeign }: Extract<Verdict, { is: 'again' }>): boolean =>
  reason.code === 'http'
    ? ![408, 425, 429, 503].includes(reason.status ?? 0)
    : (cost === 'attempt' || cost === 'silence') && !isForeign;

export function classifyError(error: unknown, now: number): Verdict {
  const failure = isFailure(error) ? error : undefined;
  if (failure?.category === 'auth' && !failure.transient) return { is: 'pause', reason: reasonOf(error) };
  const wait = failure?.retryAt === undefined ? undefined : Math.max(0, failure.retryAt - now);
  return { is: 'again', reason: reasonOf(error), wait, cost: costOf(failure?.category) };
}

export const reasonOf = (error: unknown): Reason => ({
  code: isFailure(error) ? error.code : 'unknown',
  message: brief(error instanceof Error ? error.message : String(error)),
});

/** Why a hook of the application has failed. */
export const reasonOfHook = (hook: string, error: unknown): Reason => ({
  code: isFailure(error) ? error.code : 'unknown',
  message: hookFailed(hook, error),
});

/** The error by name and code: its message may quote a credential, such as a header's value that is invalid. */
export function hookFailed(hook: string, error: unknown): string {
  const { name, code } = error instanceof Error ? (error as Error & { code?: unknown }) : {};
  const known = [name ?? typeof error, typeof code === 'string' && code].filter(Boolean).join(' ');
  return brief(`${hook}: ${known}`);
}

/** A reason lies beside the entry, where stores have little room. */
export const brief = (message: string): string => message.slice(0, 1_000);

function costOf(category: string | undefined): Cost {
  if (category === 'circuit-open' || category === 'capacity' || category === 'auth') return 'refusal';
  return category === 'network' || category === 'timeout' ? 'silence' : 'attempt';
}
