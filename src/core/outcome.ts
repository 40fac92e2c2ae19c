import type { Attempt } from './attempt.ts';

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
 */
export const outcomeOf = (response: Response): Outcome | undefined => (response as Concluded)[OUTCOME];
