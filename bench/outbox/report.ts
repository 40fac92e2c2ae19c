import { outbox as budgets } from '../budgets.ts';
import type { Times } from '../measure/race.ts';
import { median, of, paired, quantile } from '../measure/statistics.ts';
import { type BudgetLine, held } from '../report.ts';
import { table } from '../table.ts';
import type { Asked, OutboxMeasured } from './page/main.ts';

const RAW = 'raw IndexedDB';
const HOLDFAST = 'holdfast';
const ONE_LANE = 'holdfast, one lane';

const PARTS = [0.5, 0.1, 0.9];

export const outboxLines = (measured: OutboxMeasured, asked: Asked): string =>
  [
    enqueueLines(measured),
    drainLines(measured, asked),
    longestLines(measured, asked),
    workLines(measured),
  ].join('\n\n');

export function outboxBudgets({ enqueue, drain, opening, work, link }: OutboxMeasured): BudgetLine[] {
  const { few, many, longest } = drain;
  return [
    held(budgets.singly, median(rates(enqueue.singly, HOLDFAST, RAW))),
    held(budgets.burst, median(rates(enqueue.together, HOLDFAST, RAW))),
    held(budgets.writing, work.drained.writing),
    held(budgets.link, link.delivered / link.wire),
    // Who was stopped has not come to where it gets slower.
    held(budgets.growth, drain.stopped.length > 0 ? Number.NaN : median(growth(many, few))),
    held(budgets.longest, median(growth(longest, few))),
    held(budgets.opening, median(paired(opening.page, HOLDFAST, RAW))),
  ];
}

function enqueueLines({ enqueue: { singly, each, together, burst } }: OutboxMeasured): string {
  return table(
    [
      'a durable enqueue',
      'of raw',
      'p10',
      'p90',
      'a second',
      'p50 ms',
      'p99',
      `of raw, ${burst} at once`,
    ].concat(['p10', 'p90', 'a second']),
    Object.keys(singly).map((name) => [
      name,
      ...compared(singly, name),
      ...[0.5, 0.99].map((part) => figure(quantile(each[name] ?? [], part))),
      ...compared(together, name),
    ]),
  );
}

function drainLines({ drain }: OutboxMeasured, { few, many, limit }: Asked): string {
  const lines = table(
    ['draining', ...[few, many].flatMap((size) => [`of raw, ${size}`, 'p10', 'p90', 'a second', 'ms'])],
    Object.keys(drain.few).map((name) => [
      name,
      ...[drain.few, drain.many].flatMap((times) => [
        ...compared(times, name),
        figure(median(of(times, name)), 3),
      ]),
    ]),
  );
  if (drain.stopped.length === 0) return lines;
  return `${lines}\n\nnot at the end after ${limit} ms, and measured by what had been sent: ${drain.stopped.join('; ')}`;
}

function longestLines({ opening, drain }: OutboxMeasured, { few, most }: Asked): string {
  const ratios = growth(drain.longest, drain.few);
  return table(
    [`among ${most} that wait`, 'ms', '×', 'p10', 'p90', ''],
    [
      ...(['page', 'counts'] as const).flatMap((what) =>
        [RAW, HOLDFAST].map((name) => [
          `${NAMES[what]}, ${name}`,
          figure(median(of(opening[what], name))),
          ...spread(paired(opening[what], name, RAW)),
          'raw',
        ]),
      ),
      [
        `draining one of the first, ${ONE_LANE}`,
        figure(median(of(drain.longest, ONE_LANE))),
        ...spread(ratios),
        `one of ${few}`,
      ],
    ],
  );
}

const NAMES = { page: 'opening, to the first page', counts: 'counting' };

function workLines({ work, link: { entries, delivered, wire } }: OutboxMeasured): string {
  const lines = table(
    ['one write, holdfast', 'transactions', 'that write', 'requests'],
    Object.entries(work).map(([name, { transactions, writing, requests }]) => [
      name,
      ...[transactions, writing, requests].map((value) => figure(value)),
    ]),
  );
  return `${lines}\n\n${entries} entries over a link of 20 ms: ${figure(delivered / 1_000)} s; the link alone ${figure(wire / 1_000)} s`;
}

/** How much of raw IndexedDB's rate, and the rate. */
const compared = (times: Times, name: string): string[] => [
  ...spread(rates(times, name, RAW)),
  figure(1_000 / median(of(times, name)), 0),
];

const spread = (ratios: readonly number[]): string[] => PARTS.map((part) => figure(quantile(ratios, part)));

/** Of what is twice as quick it is 2, round by round. */
const rates = (times: Times, name: string, base: string): number[] => paired(times, base, name);

/** What one entry takes among more of them. */
const growth = (more: Times, fewer: Times): number[] =>
  of(more, ONE_LANE).map((time, round) => time / (of(fewer, ONE_LANE)[round] ?? Number.NaN));

const figure = (value: number, digits = 2): string => (Number.isFinite(value) ? value.toFixed(digits) : '-');
