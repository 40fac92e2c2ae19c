import { parentPort } from 'node:worker_threads';
import { fleets } from './fleets.ts';
import type { Row } from './rows.ts';
import { simulate } from './simulate.ts';

/** One row for one fleet, as a worker thread receives it. */
export interface Task {
  readonly row: Row;
  readonly fleet: string;
}

// Stack traces of the errors that a fault makes cost a quarter of the time.
Error.stackTraceLimit = 1;

parentPort?.on('message', async ({ row, fleet: name }: Task) => {
  const fleet = fleets.find((each) => each.name === name);
  if (!fleet) throw new Error(`fleet: expected one of the table, got '${name}'`);
  parentPort?.postMessage(await simulate(row, fleet));
});
