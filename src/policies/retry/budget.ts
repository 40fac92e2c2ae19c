/** What is known of an origin. Times are ticks. */
export interface Budget {
  /** Retries since the last success, and when the last one was counted. */
  spent: number;
  spentAt: number;
  /** The origin asked for no request before, and has not succeeded since. */
  notBefore: number;
  /** Responses so far, of any status: each is evidence that the origin lives. */
  responses: number;
  /** When the last attempt that got a response was sent, and the last one that succeeded. */
  respondedAt: number;
  succeededAt: number;
  /** The last silence between two responses, from and until. */
  silentFrom: number;
  silentUntil: number;
  /** Attempts that ran out of time since the last response. */
  timeouts: number;
}

/** What the origin had done when an attempt was sent, as far as its call can tell. */
export interface Evidence {
  readonly budget: Budget;
  /** When the call began, in ticks, and whether there was budget left then. */
  readonly callBegan: number;
  readonly hadBudget: boolean;
  /** When the last attempt was sent, in ticks; and how many responses of the origin there were before. */
  began: number;
  responses: number;
}

export const newBudget = (): Budget => ({
  spent: 0,
  spentAt: -Infinity,
  notBefore: 0,
  responses: 0,
  respondedAt: -Infinity,
  succeededAt: -Infinity,
  silentFrom: 0,
  silentUntil: 0,
  timeouts: 0,
});

/** A success is evidence for so long, in ms, that an origin is flaky and not down: until then the budget is twice as large. */
const EVIDENCE = 10_000;

/** What was spent longer ago than this, in ms, says nothing of the origin as it is now. */
const MAX_AGE = 60_000;

/** A response is evidence that a single time-out was the network's fault for so long, in ms. */
const ALIVE = 30_000;

/** An origin that has responded within this time, in ms, is taken to be alive. */
const ALIVE_NOW = 2_000;

/** So many retries of a call the budget does not refuse while the origin succeeds. */
const ALLOWED = 2;

/** An attempt that got a response. @param began When it was sent. */
export function responded(budget: Budget, began: number, succeeded: boolean): void {
  if (began - budget.respondedAt > 2 * ALIVE_NOW) {
    budget.silentFrom = budget.respondedAt;
    budget.silentUntil = began;
  }
  budget.responses++;
  budget.respondedAt = Math.max(budget.respondedAt, began);
  budget.timeouts = 0;
  if (!succeeded) return;
  budget.succeededAt = began;
  budget.spent = 0;
  budget.notBefore = 0;
}

/** Whether there is budget left for a call that begins now: twice as much if the origin succeeds, or nothing is known yet. */
export function hasBudget(budget: Budget, most: number, now: number): boolean {
  const { spentAt, succeededAt } = budget;
  if (now - spentAt > MAX_AGE) budget.spent = 0;
  const isFlaky = succeededAt === -Infinity || now - succeededAt < EVIDENCE;
  return budget.spent < (isFlaky ? 2 * most : most);
}

/**
 * Spends a retry if the budget allows it. It allows the first two of a call if there was budget left when the call began, so
 * that calls which fail together do not take it from one another, or if an attempt has succeeded since.
 *
 * @param retryCount From 1.
 */
export function spend(
  { budget, callBegan, hadBudget, began }: Evidence,
  most: number,
  retryCount: number,
  now: number,
): boolean {
  const isAllowed = retryCount <= ALLOWED && (hadBudget || budget.succeededAt >= callBegan);
  if (budget.spent >= most && !isAllowed) return false;
  // Retries of attempts in flight together count once.
  if (began > budget.spentAt) {
    budget.spent++;
    budget.spentAt = now;
  }
  return true;
}

/**
 * Whether an attempt ran out of time while the origin was alive: the origin responded to others since, or shortly before; or
 * within the last 30 s, and nothing else has run out of time since. What was sent in the middle of a silence may still be
 * in the origin's queue, and is not repeated.
 */
export function hungAlone({ budget, began, responses }: Evidence): boolean {
  const { respondedAt, silentFrom, silentUntil, timeouts } = budget;
  if (budget.responses > responses)
    return began <= silentFrom + ALIVE_NOW || began >= silentUntil - ALIVE_NOW;
  return began - respondedAt < (timeouts === 1 ? ALIVE : ALIVE_NOW);
}
