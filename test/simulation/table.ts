import { isOver, reachesGoal, type Verdict } from './budgets.ts';
import type { Report } from './report.ts';

/** Columns of the table: title and text of a figure. */
const columns: Readonly<Record<keyof Report, [title: string, text: (value: number) => string]>> = {
  perCall: ['req/call in fault', (value) => value.toFixed(2)],
  perCallMade: ['req/call of fault', (value) => value.toFixed(2)],
  peak: ['peak/cap.', (value) => value.toFixed(2)],
  queue: ['queue', (value) => `${value.toFixed(1)} s`],
  recovery: ['99 % after', (value) => (value === Infinity ? 'never' : `${value} s`)],
  wasted: ['wasted', share],
  succeeded: ['succeeded', share],
};

const FIGURES = Object.keys(columns) as (keyof Report)[];

function share(value: number): string {
  return `${(value * 100).toFixed(1)} %`;
}

const text = (figure: keyof Report, value: number | undefined): string =>
  value === undefined ? '–' : columns[figure][1](value);

const line = (row: string, fleet: string, cells: readonly [text: string, width: number][]): string =>
  [row.padEnd(38), fleet.padEnd(37), ...cells.map(([cell, width]) => cell.padStart(width))].join('  ');

export const head = (): string =>
  line(
    'row',
    'policies',
    FIGURES.map((figure) => [columns[figure][0], columns[figure][0].length]),
  );

export const body = (row: string, fleet: string, report: Report): string =>
  line(
    row,
    fleet,
    FIGURES.map((figure) => [text(figure, report[figure]), columns[figure][0].length]),
  );

/** Lists what is over budget, and counts the rest. */
export function verdicts(all: readonly Verdict[]): string {
  const over = all.filter(isOver);
  const [within, goals] = [all.length - over.length, all.filter(reachesGoal).length];
  const rest = `${within} of ${all.length} figures within budget, ${goals} reach their goal`;
  if (over.length === 0) return rest;
  const cells = (figure: string, value: string, budget: string, goal: string) =>
    [
      [figure, 17],
      [value, 8],
      [budget, 18],
      [goal, 8],
    ] as const satisfies [string, number][];
  return [
    line('OVER BUDGET', 'policies', cells('figure', 'value', 'budget', 'goal')),
    ...over.map(({ row, fleet, figure, value, limit, budget, goal }) =>
      line(
        row,
        fleet,
        cells(
          columns[figure][0],
          text(figure, value),
          `${limit} ${text(figure, budget)}`,
          text(figure, goal),
        ),
      ),
    ),
    '',
    rest,
  ].join('\n');
}
