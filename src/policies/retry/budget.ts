import type { Call } from '../../core/contract.ts';

/** What is known of an origin. */
export interface Budget {
  /** Of its tokens. */
  spent: number;
  /** Before this, in ticks, it does not want to hear of any call again. */
  notBefore: number;
}

/** What a first attempt that succeeds gives back. */
export const GIVEN_BACK = 0.2;

/** A budget that is one for all who share it. */
export interface BudgetSharing {
  /**
   * @param most How many tokens an origin has.
   * @param make What is known of an origin at first.
   */
  budgets(most: number, make: () => Budget): Budgets;
}

export interface Budgets {
  /** Called as a call begins. It cannot fail. */
  get(origin: string, call: Call): Budget;
}
