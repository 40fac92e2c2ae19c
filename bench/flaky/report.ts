import type { AllFigures, Figures } from './figures.ts';
import { type Found, failures, goals, percent } from './judge.ts';
import { type Row, titleOf } from './rows/row.ts';

export interface Judged {
  readonly row: Row;
  readonly found: Found;
  readonly failures: readonly string[];
}

export const judged = (rows: readonly Row[], figures: AllFigures): Judged[] =>
  rows.map((row) => {
    const found = figures[titleOf(row)] ?? {};
    return { row, found, failures: failures(row, found) };
  });

/** Shares and requests: a line for each row, a column for each contestant, a heading for each group. */
export const mainTable = (all: readonly Judged[], names: readonly string[]): string =>
  table(
    ['success in %, requests per call', ...names, 'goal: met', 'check'],
    grouped(all, ({ row, found, failures }) => [
      ...names.map((name) =>
        cell(found[name], (one) => [percent(one.share), one.requestsPerCall.toFixed(2)]),
      ),
      goals(row, found),
      failures.length > 0 ? 'fails' : 'ok',
    ]),
  );

/** Time to success in s, median and 95th percentile, and requests per call that succeeded. */
export const timesTable = (all: readonly Judged[], names: readonly string[]): string =>
  table(
    ['median, p95 in s; requests per success', ...names],
    grouped(all, ({ found }) =>
      names.map((name) =>
        cell(found[name], (one) => [
          `${seconds(one.median)},`,
          `${seconds(one.p95)};`,
          one.requestsPerSuccess.toFixed(2),
        ]),
      ),
    ),
  );

const WIDTHS = [5, 5, 5];

function cell(one: Figures | undefined, parts: (one: Figures) => string[]): string {
  if (!one) return '–';
  return parts({ ...one })
    .map((part, index) =>
      part
        .replace('NaN', '–')
        .replace('Infinity', '–')
        .padStart(WIDTHS[index] ?? 0),
    )
    .join(' ');
}

const seconds = (ms: number): string => (ms / 1000).toFixed(ms < 9_995 ? 2 : 1);

function grouped(all: readonly Judged[], line: (judged: Judged) => string[]): string[][] {
  let group = '';
  return all.flatMap((judged) => {
    const { row } = judged;
    const heading = row.group === group ? [] : [[`**${row.group}**`]];
    group = row.group;
    return [...heading, [row.name, ...line(judged)]];
  });
}

/** Markdown that is readable in a terminal. */
function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  const line = (row: readonly string[]): string =>
    `| ${widths.map((width, column) => (row[column] ?? '').padEnd(width)).join(' | ')} |`;
  const rule = `|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|`;
  return [line(head), rule, ...rows.map(line)].join('\n');
}
