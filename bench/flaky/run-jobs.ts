/** A process of its own: lives through the worlds of its jobs, as many at a time as it has the power for. */
import { monitorEventLoopDelay, performance } from 'node:perf_hooks';
import { contestants } from './contestants/all.ts';
import { busyOf, type Origins, startOrigins } from './origin/origins.ts';
import type { Job } from './plan.ts';
import { rows } from './rows/all.ts';
import { titleOf } from './rows/row.ts';
import { callers } from './rows/scripts.ts';
import { runWorld, type Tally } from './run-world.ts';

export interface Work {
  readonly jobs: readonly Job[];
  readonly seed: number;
}

export interface Done {
  readonly tallies: readonly (Tally & Job)[];
  /** How long the callers' loop was late in ms, at most of all times. */
  readonly lag: { readonly p99: number; readonly max: number };
}

/** Above this part of the time the loop is too busy to start another world. */
const BUSY = 0.55;
/** Milliseconds between the starts of two worlds, at least. */
const SPACING = 8;
/** Worlds at a time. */
const MOST = 600;

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

process.once('message', async (work: Work) => {
  // A long message takes its time.
  process.send?.(await run(work), undefined, undefined, () => process.disconnect());
});

async function run({ jobs, seed }: Work): Promise<Done> {
  const origins = startOrigins();
  await warmUp(origins);
  const delay = monitorEventLoopDelay({ resolution: 5 });
  const tallies = jobs.map((job) => ({ ...job, calls: 0, requests: 0, times: [] as number[] }));
  delay.enable();
  let active = 0;
  const running: Promise<void>[] = [];
  const load = watchLoad(origins);
  for (const { tally, row, contestant, world } of worldsOf(tallies)) {
    do await wait(SPACING);
    while (load.busy > BUSY || active >= MOST);
    active++;
    const one = async (): Promise<void> => {
      const { calls, requests, times } = await runWorld(row, contestant, {
        open: origins.open,
        // The same for each contestant.
        seed: seed * 1000 + world,
      });
      tally.calls += calls;
      tally.requests += requests;
      tally.times.push(...times);
      active--;
    };
    running.push(one());
  }
  await Promise.all(running);
  delay.disable();
  load.stop();
  await origins.close();
  return { tallies, lag: { p99: delay.percentile(99) / 1e6, max: delay.max / 1e6 } };
}

/** How busy the busier of both threads was lately, from 0 to 1. */
function watchLoad(origins: Origins) {
  const busy = busyOf(performance);
  const load = { busy: 0, stop: () => clearInterval(timer) };
  const timer = setInterval(() => {
    load.busy = Math.max(busy(), origins.busy());
  }, 50);
  return load;
}

/** Both threads run code for the first time here, which is slow. */
async function warmUp({ open }: Origins): Promise<void> {
  const row = { group: '', name: '', weather: {}, script: callers(5, 20), calls: 100, goal: {} };
  for (const contestant of contestants) await runWorld(row, contestant, { open, seed: 0 });
}

/** The longest rows first; of one row a world of each contestant in turn. */
function worldsOf(tallies: (Tally & Job)[]) {
  return tallies
    .flatMap((tally) => {
      const row = rows.find((row) => titleOf(row) === tally.title);
      const contestant = contestants.find(({ name }) => name === tally.contestant);
      if (!row || !contestant) throw new Error(`${tally.title}, ${tally.contestant}: unknown`);
      return Array.from({ length: tally.worlds }, (_, world) => ({ tally, row, contestant, world }));
    })
    .sort((one, other) => (other.row.lasts ?? 5000) - (one.row.lasts ?? 5000) || one.world - other.world);
}
