import { isFailure } from '../../core/errors.ts';
import { originOf } from '../../core/origins.ts';
import { retryAfter } from '../../http/retry-after.ts';
import { isOriginFailure } from '../../http/status.ts';
import type { OutboxEntry, Reason } from './entry.ts';

/** What an answer, or its absence, means for an entry. */
export type Verdict =
  | { readonly is: 'delivered' }
  /** `wait`: the origin asked for so many ms. `free`: the origin was not asked, so it costs no attempt. */
  | {
      readonly is: 'again';
      readonly reason: Reason;
      readonly wait?: number | undefined;
      readonly free?: boolean;
    }
  /** The origin wants credentials. */
  | { readonly is: 'pause'; readonly reason: Reason }
  | { readonly is: 'conflict'; readonly reason: Reason }
  | { readonly is: 'dead'; readonly reason: Reason };

export function classifyResponse(response: Response, entry: OutboxEntry, now: number): Verdict {
  const { status } = response;
  const reason: Reason = { code: 'http', status };
  // A captive portal answers everything with its login page.
  const strayed =
    response.type === 'opaqueredirect' || (response.redirected && originOf(response.url) !== entry.origin);
  if (strayed) return { is: 'again', reason: { code: 'redirected', status }, free: true };
  if (response.ok) return { is: 'delivered' };
  if (status === 401) return { is: 'pause', reason };
  if (status === 409 || status === 412) return { is: 'conflict', reason };
  if (isOriginFailure(status) || status === 425 || status === 429)
    return { is: 'again', reason, wait: retryAfter(response.headers, now) };
  return { is: 'dead', reason };
}

/** Codes of refusals: nothing was sent. */
const UNSENT: readonly string[] = ['circuit-open', 'timeout-total'];

export function classifyError(error: unknown, now: number): Verdict {
  const failure = isFailure(error) ? error : undefined;
  const reason: Reason = {
    code: failure?.code ?? 'unknown',
    message: error instanceof Error ? error.message : String(error),
  };
  const wait = failure?.retryAt === undefined ? undefined : Math.max(0, failure.retryAt - now);
  const free = failure !== undefined && (failure.category === 'capacity' || UNSENT.includes(failure.code));
  return { is: 'again', reason, wait, free };
}
