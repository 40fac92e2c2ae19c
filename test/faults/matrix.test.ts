import { beforeAll, expect, test } from 'vitest';
import { expected } from './matrix/expected.ts';
import { type FaultName, faultOf, faults } from './matrix/faults.ts';
import { type Played, play } from './matrix/play.ts';
import { inRoom } from './matrix/pool.ts';
import { expectedIn, type Result, type Row, type Time, times } from './matrix/row.ts';
import { runtime } from './matrix/runtime.ts';

const TIME_LIMIT = 600_000;

/** How long the machine may disturb cases, in ms: then their results count. */
const DISTURBANCE = 300_000;

const here = runtime();

/** A browser has six connections to an origin: cases that keep one for long leave one to the others. */
const room = ['chromium', 'firefox', 'webkit'].includes(here)
  ? { holding: 5, passing: 6 }
  : { holding: 20, passing: 10 };

const played = new Map<Row, Played>();

async function playAll(rows: readonly Row[], atOnce: number): Promise<void> {
  const takes = ({ policies }: Row): number => (policies === 'hedge' || policies === 'everything' ? 2 : 1);
  await inRoom(atOnce, rows, takes, async (row) => {
    played.set(row, await play(row, expectedIn(here, row)));
  });
}

/** Cases that the machine has disturbed run again, fewer at once each time, then one by one until it lets them be. */
async function playDisturbed(): Promise<void> {
  const until = performance.now() + DISTURBANCE;
  for (let atOnce = 4; performance.now() < until; atOnce--) {
    const again = expected.filter((row) => {
      const { isDisturbed = false, isMissed = false } = played.get(row) ?? {};
      return isDisturbed || (isMissed && atOnce > 0);
    });
    if (again.length === 0) return;
    await playAll(again, Math.max(1, atOnce));
  }
}

beforeAll(async () => {
  const reusing = expected.filter(({ fault }) => faultOf(fault).at === 'reused');
  const fresh = expected.filter((row) => !reusing.includes(row));
  const holding = fresh.filter(({ fault }) => faultOf(fault).holds);
  const passing = fresh.filter((row) => !holding.includes(row));
  // One after the other if connections are used again, or the next case takes one that a call has
  // left.
  await Promise.all([playAll(holding, room.holding), playAll(passing, room.passing), playAll(reusing, 1)]);
  await playDisturbed();
}, TIME_LIMIT);

/** In one line, so that a difference shows its row. No request may be open when a call is over. */
function line(
  { span, policies, method }: Row,
  { outcome, requests, applied }: Omit<Result, 'time'>,
  time: string,
  open = 0,
): string {
  return [
    policies,
    method,
    span,
    outcome,
    `${requests} sent`,
    `${open} open`,
    `${applied || 0} applied`,
    time,
  ].join(' | ');
}

/** The result in the words of the expectation, if they fit. */
function found(row: Row): string {
  const { took, ...result } = played.get(row) as Played;
  const wanted = expectedIn(here, row);
  const [least, most] = wanted.requests.split(' to ').map(Number);
  const fits =
    most !== undefined && Number(result.requests) >= Number(least) && Number(result.requests) <= most;
  const requests = fits ? wanted.requests : result.requests;
  return line(row, { ...result, requests }, timeOf(took, wanted.time), result.open);
}

function timeOf(took: number, expected: Time): string {
  const [from, to] = times[expected];
  return took >= from && took < to ? expected : `${Math.round(took)} ms`;
}

test.each(Object.keys(faults) as FaultName[])('%s', (fault) => {
  const rows = expected.filter((row) => row.fault === fault);
  const wanted = rows.map((row) => {
    const result = expectedIn(here, row);
    return line(row, result, result.time);
  });
  expect(rows.map(found)).toEqual(wanted);
});
