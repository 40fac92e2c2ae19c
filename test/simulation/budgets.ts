import { DEFAULTS, KY, NATIVE } from './fleets.ts';
import type { Report } from './report.ts';
import type { Row } from './rows.ts';

/** A figure of the defaults beside its budget and its goal. */
export interface Verdict {
  readonly row: string;
  readonly fleet: string;
  readonly figure: keyof Report;
  readonly value: number;
  /** Whether the figure must stay below its budget, or above it. */
  readonly limit: 'at most' | 'at least';
  readonly budget: number;
  readonly goal: number;
}

export const isOver = ({ value, limit, budget }: Verdict): boolean => isWorse(limit, value, budget);

export const reachesGoal = ({ value, limit, goal }: Verdict): boolean => !isWorse(limit, value, goal);

const isWorse = (limit: Verdict['limit'], value: number, than: number): boolean =>
  limit === 'at most' ? value > than : value < than;

/** Fleets that the budgets of a row compare. */
export const judgedFleets: Readonly<Record<Row['group'], readonly string[]>> = {
  down: [DEFAULTS],
  blip: [KY, DEFAULTS],
  flaky: [NATIVE, KY, DEFAULTS],
  broken: [NATIVE, DEFAULTS],
};

/** Tolerance for chance where one fleet is compared with another. */
const CHANCE = 0.02;

/** Tolerance where a call fails only by our own rejection. */
const NONE_REJECTED = 0.005;

/**
 * Compares the defaults, each client with its own breaker, with the budgets and goals of the design.
 *
 * @param reports By the name of the fleet; those of `judgedFleets` must be there.
 */
export function judge(row: Row, reports: ReadonlyMap<string, Report>): Verdict[] {
  const figures = (fleet: string): Report => {
    const report = reports.get(fleet);
    if (!report) throw new Error(`${row.name}: expected a report of '${fleet}'`);
    return report;
  };
  const own = figures(DEFAULTS);
  const verdict = (
    figure: keyof Report,
    limit: Verdict['limit'],
    budget: number,
    goal = budget,
  ): Verdict => ({
    row: row.name,
    fleet: DEFAULTS,
    figure,
    value: own[figure] ?? 0,
    limit,
    budget,
    goal,
  });
  switch (row.group) {
    case 'down':
      return [
        row.rate < 1 ? verdict('perCall', 'at most', 2.4, 1.7) : verdict('perCall', 'at most', 1.2, 1.1),
        verdict('recovery', 'at most', 5, 2),
        // Calls that waited for the probe come on top of the usual load: what counts is that the origin can serve them in time.
        verdict('peak', 'at most', 1.5, 1.1),
        verdict('queue', 'at most', 3, 1),
        verdict('wasted', 'at most', 0.02),
      ];
    case 'blip':
      return [
        verdict('succeeded', 'at least', figures(KY).succeeded - CHANCE, 1),
        verdict('perCallMade', 'at most', 3, 1.5),
      ];
    case 'flaky': {
      const [ky, native] = [figures(KY), figures(NATIVE)];
      const best = Math.max(ky.succeeded, native.succeeded);
      return [
        verdict('succeeded', 'at least', best - CHANCE, row.kind.share <= 0.3 ? 0.99 : 0.97),
        verdict('perCall', 'at most', ky.perCall * (1 + CHANCE), ky.perCall * 0.9),
      ];
    }
    case 'broken': {
      const { succeeded } = figures(NATIVE);
      return [verdict('succeeded', 'at least', succeeded - NONE_REJECTED, succeeded)];
    }
  }
}
