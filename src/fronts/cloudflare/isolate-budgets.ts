import type { Call } from '../../core/contract.ts';
import { PerOrigin } from '../../core/origins.ts';
import type { Budget, Budgets } from '../../policies/retry/budget.ts';
import { type BudgetReport, MOST_WORDS, type Reply } from './sharing-words.ts';

interface IsolateBudget extends Budget {
  key: string;
  readonly most: number;
  /** What the coordinator knows to be spent. */
  told: number;
  /** It is in the next report. */
  asked: boolean;
}

/** The retry budgets of this isolate, whichever clients use them; of each size for at most 1,000 origins. */
export class IsolateBudgets {
  readonly #sizes = new Map<number, PerOrigin<IsolateBudget>>();
  #asked: IsolateBudget[] = [];

  /** @param during Told of each call. @returns the same budgets for the same size. */
  budgets(most: number, make: () => Budget, during: (call: Call) => void): Budgets {
    const budgets =
      this.#sizes.get(most) ??
      new PerOrigin((): IsolateBudget => ({ ...make(), key: '', most, told: 0, asked: false }));
    this.#sizes.set(most, budgets);
    return {
      get: (origin, call) => {
        const budget = budgets.get(origin);
        budget.key ||= `${most} ${origin}`;
        // What has no end is nobody's to share.
        if (most !== Infinity) this.#ask(budget);
        during(call);
        return budget;
      },
    };
  }

  #ask(budget: IsolateBudget): void {
    if (budget.asked || this.#asked.length >= MOST_WORDS) return;
    budget.asked = true;
    this.#asked.push(budget);
  }

  /** @returns what the coordinator is to be told, and what is to be done with its answer. */
  report(): { reports: BudgetReport[]; learn: (reply: Reply) => void } {
    const asked = new Map(this.#asked.map((budget) => [budget.key, { budget, before: budget.spent }]));
    this.#asked = [];
    const reports = [...asked.values()].map(({ budget }): BudgetReport => {
      const { key, most, spent, told } = budget;
      budget.asked = false;
      return { key, most, delta: spent - told, spent };
    });
    return {
      reports,
      learn({ budgets }) {
        for (const { key, spent } of budgets) {
          const { budget, before } = asked.get(key) ?? {};
          if (!budget || before === undefined) continue;
          budget.spent = Math.max(0, spent + budget.spent - before);
          budget.told = spent;
        }
      },
    };
  }
}
