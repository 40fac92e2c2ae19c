import { parentPort } from 'node:worker_threads';
import { fleets } from './fleets.ts';
import type { Row } from './rows.ts';
import { simulate } from './simulate.ts';

/** One row for one fleet, as a worker thread receives it. */
export interface Task {
  readonly row: Row;
  readonly fleet: string;
}

parentPort?.on('message', async ({ row, fleet: name }: Task) => {
  const fleet = fleets.find((each) => each.name === name);
  if (!fleet) throw new Error(`fleet: expected one of the table, got '${name}'`);
  parentPort?.postMessage(await simulate(row, fleet));
});
