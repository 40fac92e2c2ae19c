import { type Budget, cost, memory as memoryBudgets, type Promised } from './budgets.ts';
import { floor, stub } from './contestants/floor.ts';
import { viaClient, viaFetch, withDedupe } from './contestants/holdfast.ts';
import { kyAlone } from './contestants/ky.ts';
import type { Memory } from './measure/memory.ts';
import { median, of, paired, quantile } from './measure/statistics.ts';
import type { TimesOfAll } from './measure/time.ts';
import { table } from './table.ts';

/** What a contestant costs. Absent is what it cannot do. */
export interface Result {
  readonly microseconds: number;
  readonly added: number;
  readonly ratio: number;
  readonly low: number;
  readonly together: number;
  readonly allocated: number;
  readonly kept: number;
  readonly recovery?: number;
  readonly refusal?: number;
}

export type Results = Record<string, Result>;

export type BudgetLine = (Budget | Promised) & {
  readonly measured: number;
  readonly holds: boolean;
};

export function results({ singly, together, recovery, refusal }: TimesOfAll, memory: Memory): Results {
  const base = singly[stub.name] ?? [];
  return Object.fromEntries(
    Object.entries(singly).map(([name, times]) => {
      const ratios = paired(singly, name, stub.name);
      return [
        name,
        {
          microseconds: median(times),
          added: median(times.map((time, round) => time - (base[round] ?? 0))),
          ratio: median(ratios),
          low: quantile(ratios, 0.1),
          together: median(paired(together, name, stub.name)),
          allocated: of(memory, name).allocated - of(memory, stub.name).allocated,
          kept: of(memory, name).kept,
          ...(recovery[name] && { recovery: median(paired(recovery, name, floor.name)) }),
          ...(refusal[name] && { refusal: median(paired(refusal, name, floor.name)) }),
        },
      ];
    }),
  );
}

export function resultLines(measured: Results): string {
  return table(
    ['', '× stub', 'p10', '+µs', '100 × stub', '+KiB', 'kept', 'recovery', 'refusal'],
    Object.entries(measured).map(([name, result]) => [
      name,
      result.ratio.toFixed(2),
      result.low.toFixed(2),
      result.added.toFixed(1),
      result.together.toFixed(2),
      (result.allocated / 1024).toFixed(1),
      String(settled(result.kept)),
      result.recovery?.toFixed(2) ?? '-',
      result.refusal?.toFixed(2) ?? '-',
    ]),
  );
}

export function budgetLines(measured: Results, { singly }: TimesOfAll): BudgetLine[] {
  const { ratio, recovery, refusal } = of(measured, viaFetch.name);
  const more = of(measured, withDedupe.name);
  return [
    held(cost.call, ratio),
    held(cost.more, more.ratio),
    held(cost.client, median(paired(singly, viaClient.name, kyAlone.name))),
    held(cost.failure, recovery),
    held(cost.refusal, refusal),
  ];
}

export function memoryLines(measured: Memory): BudgetLine[] {
  const base = of(measured, stub.name).allocated;
  const { allocated, kept } = of(measured, viaFetch.name);
  const more = of(measured, withDedupe.name);
  return [
    held(memoryBudgets.allocated, (allocated - base) / 1024),
    held(memoryBudgets.more, (more.allocated - base) / 1024),
    held(memoryBudgets.kept, settled(Math.max(kept, more.kept))),
  ];
}

export const held = (budget: Budget | Promised, measured = Number.NaN): BudgetLine => ({
  ...budget,
  measured,
  holds: 'most' in budget ? measured <= budget.most : measured >= budget.least,
});

export const budgetTable = (lines: readonly BudgetLine[]): string =>
  table(
    ['budget', '', 'measured', ''],
    lines.map((line) => [
      line.what,
      'most' in line ? `≤ ${line.most} ${line.unit}` : `≥ ${line.least} ${line.unit}`,
      Number.isNaN(line.measured) ? 'not known' : `${line.measured.toFixed(2)} ${line.unit}`,
      line.holds
        ? 'holds'
        : 'most' in line && line.reached
          ? `at most ${line.reached} so far`
          : 'does not hold',
    ]),
  );

/** What is left over thousands of calls is never exactly nothing; one object a call would be more than this. */
const settled = (bytes: number): number => (Math.abs(bytes) < 16 ? 0 : Math.round(bytes));
