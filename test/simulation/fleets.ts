import { standard } from '../../src/client/standard.ts';
import type { Policy } from '../../src/core/contract.ts';
import { TimeoutError } from '../../src/core/errors.ts';
import type { RetryOptions } from '../../src/policies/retry/options.ts';
import { retry } from '../../src/policies/retry/retry.ts';
import { attemptTimeout, totalTimeout } from '../../src/policies/timeout.ts';

/** A fleet of clients with the same policies. */
export interface Fleet {
  readonly name: string;
  readonly policies: () => readonly Policy[];
  /** All clients are one process with one pipeline (a server). Default: each client has its own state. */
  readonly isOneProcess?: boolean;
  /** It shows what one policy adds, and runs in the `down` rows only. */
  readonly isStep?: boolean;
}

export const NATIVE = 'no retry (native)';
export const KY = 'as ky does by default';
export const DEFAULTS = 'defaults, each client its own breaker';

const KY_STATUSES: ReadonlySet<number> = new Set([408, 413, 429, 500, 502, 503, 504]);

/** ky's default rules: 2 retries after 300 · 2ⁿ ms. Our `retry` is not the yardstick, because it changes. */
const kyLike: Policy = (next) => async (request, call) => {
  for (let attempt = 1; ; attempt++) {
    try {
      const response = await next(request, call);
      if (attempt > 2 || !KY_STATUSES.has(response.status)) return response;
    } catch (error) {
      if (attempt > 2 || error instanceof TimeoutError) throw error;
    }
    await new Promise<void>((wake) => call.host.clock.after(300 * 2 ** (attempt - 1), wake));
  }
};

/** Repeats everything that fails. */
const always: RetryOptions = { budget: false, retryOnTimeout: true };

/** From nothing to the defaults. */
export const fleets: readonly Fleet[] = [
  { name: NATIVE, policies: () => [totalTimeout(), attemptTimeout()] },
  { name: KY, policies: () => [kyLike, attemptTimeout()] },
  {
    name: 'exponential backoff, no jitter',
    policies: () => [totalTimeout(), retry({ jitter: 'none', ...always }), attemptTimeout()],
    isStep: true,
  },
  {
    name: 'full jitter alone',
    policies: () => [totalTimeout(), retry({ jitter: 'full', ...always }), attemptTimeout()],
    isStep: true,
  },
  {
    name: 'with a budget',
    policies: () => [totalTimeout(), retry({ jitter: 'full', ...always, budget: 10 }), attemptTimeout()],
    isStep: true,
  },
  { name: 'defaults without a breaker', policies: () => standard({ breaker: false }), isStep: true },
  { name: DEFAULTS, policies: () => standard() },
  { name: 'defaults, one breaker for all', policies: () => standard(), isOneProcess: true },
];
