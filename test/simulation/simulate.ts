import type { HoldfastInit } from '../../src/core/normalize-request.ts';
import { type HoldfastFetch, pipeline } from '../../src/core/pipeline.ts';
import { isFailure } from '../../src/primitives/failure.ts';
import { seeded, switchedConnectivity, virtualClock } from '../../src/testing.ts';
import type { Fleet } from './fleets.ts';
import { boundedOrigin, type SimulatedCall, type SimulatedInit } from './origin.ts';
import { type Report, reportOf } from './report.ts';
import { PATHS, type Row } from './rows.ts';

/** Time for the last calls to settle, in ms: twice the total time limit. */
const DRAIN = 60_000;

/**
 * Runs one row for one fleet through the real pipeline, in virtual time. The same seed gives the same report, and
 * every fleet makes the same calls at the same times.
 *
 * @throws {Error} if a policy throws an error that is no `HoldfastError`, or a call never settles.
 */
export async function simulate(row: Row, fleet: Fleet): Promise<Report> {
  const { clients, rate, before, fault, after, seed } = row;
  const clock = virtualClock();
  const random = seeded(seed);
  const online = switchedConnectivity();
  const origin = boundedOrigin(clock, row);
  const calls: SimulatedCall[] = [];
  const bugs: unknown[] = [];
  const end = (before + fault + after) * 1000;
  const client = (own: number): HoldfastFetch =>
    pipeline(fleet.policies(), {
      fetch: origin.fetch,
      host: { clock, random: seeded(own), connectivity: online, canShareIO: true },
    });
  const shared = fleet.isOneProcess ? client(seed) : undefined;
  for (let count = 0; count < clients; count++) {
    const own = random() * 2 ** 32;
    const fetch = shared ?? client(own);
    // Poisson arrivals: the time between two calls is exponential.
    const next = (): void => {
      const wait = (-Math.log(1 - random()) / rate) * 1000;
      if (clock.ticks() + wait < end) clock.after(wait, call, { background: true });
    };
    const call = (): void => {
      const made: SimulatedCall = { at: clock.ticks() / 1000, path: pathFor(random()), requests: 0 };
      calls.push(made);
      const init: HoldfastInit & SimulatedInit = { simulated: made };
      fetch(`https://api.example.com${made.path}`, init).then(
        (response) => {
          made.ok = response.ok;
        },
        (error: unknown) => {
          made.ok = false;
          if (!isFailure(error)) bugs.push(error);
        },
      );
      next();
    };
    next();
  }
  await clock.advance(end + DRAIN);
  if (bugs.length > 0) throw new Error(`${row.name}, ${fleet.name}: a policy failed`, { cause: bugs[0] });
  const pending = calls.filter(({ ok }) => ok === undefined).length;
  if (pending > 0) throw new Error(`${row.name}, ${fleet.name}: ${pending} calls have not settled`);
  return reportOf(row, calls, origin);
}

/** Half of the calls go to the last path, the others to the rest alike. */
function pathFor(chance: number): string {
  const rest = PATHS.length - 1;
  return PATHS[Math.min(rest, Math.floor(chance * 2 * rest))] as string;
}
