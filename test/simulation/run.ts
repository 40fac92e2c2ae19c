/**
 * Simulates fleets of clients whose one origin is down, flaky or partly broken: `npm run simulate`.
 *
 * `--check` runs only the fleets that have budgets, and fails if the defaults break one.
 * `--only <text>` and `--fleet <text>` choose rows and fleets by a part of their name, and may be repeated, as in
 * `--only flaky --only " 1/s"`.
 * `--clients 10000` for a larger fleet, `--seed 2` for other chance, `--threads 1` for one core.
 */
import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { isOver, judge, judgedFleets, type Verdict } from './budgets.ts';
import { fleets } from './fleets.ts';
import type { Report } from './report.ts';
import { type Row, rowsFor } from './rows.ts';
import { body, head, verdicts } from './table.ts';
import type { Task } from './worker.ts';

const { values: options } = parseArgs({
  options: {
    clients: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    threads: { type: 'string', default: '2' },
    only: { type: 'string', multiple: true, default: [] },
    fleet: { type: 'string', multiple: true, default: [] },
    check: { type: 'boolean', default: false },
  },
});

const hasAll = (name: string, texts: readonly string[]): boolean =>
  texts.every((text) => name.includes(text));

const fleetsOf = ({ group }: Row): string[] =>
  options.check
    ? [...judgedFleets[group]]
    : fleets
        .filter(({ name, isStep }) => (group === 'down' || !isStep) && hasAll(name, options.fleet))
        .map(({ name }) => name);

const rows = rowsFor(Number(options.clients), Number(options.seed)).filter(({ name }) =>
  hasAll(name, options.only),
);
const tasks: Task[] = rows.flatMap((row) => fleetsOf(row).map((fleet) => ({ row, fleet })));
if (tasks.length === 0) throw new Error('--only, --fleet: expected a part of the name of a row and a fleet');
const results = tasks.map(() => Promise.withResolvers<Report>());

let taken = 0;

/** Runs tasks in one thread until none is left. */
async function work(): Promise<void> {
  const worker = new Worker(new URL('./worker.ts', import.meta.url));
  for (let index = taken++; index < tasks.length; index = taken++) {
    worker.postMessage(tasks[index]);
    const [report] = (await once(worker, 'message')) as [Report];
    results[index]?.resolve(report);
  }
  await worker.terminate();
}

const { clients, threads: count, seed } = options;
console.log(`${clients} clients, calls per second of each in the row; ${count} threads; seed ${seed}\n`);
console.log(head());
const began = performance.now();
const threads = Array.from({ length: Number(options.threads) }, work);
const judged: Verdict[] = [];
for (const row of rows) {
  const reports = new Map<string, Report>();
  for (const [index, task] of tasks.entries()) {
    if (task.row !== row) continue;
    const report = (await results[index]?.promise) as Report;
    reports.set(task.fleet, report);
    console.log(body(row.name, task.fleet, report));
  }
  if (judgedFleets[row.group].every((fleet) => reports.has(fleet))) judged.push(...judge(row, reports));
}
await Promise.all(threads);
console.log(`\n${verdicts(judged)}\n${((performance.now() - began) / 1000).toFixed(0)} s`);
if (options.check && judged.some(isOver)) process.exitCode = 1;
