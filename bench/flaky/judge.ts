import type { Figures } from './figures.ts';
import type { Row } from './rows/row.ts';

/** What the contestants came to in one row, by name. */
export type Found = Readonly<Record<string, Figures>>;

/** Percentage points that chance may take. */
const TOLERANCE = 0.02;
const EXCESS = 1.02;

const HOLDFAST = ['createFetch', 'createClient'] as const;

/** Where holdfast serves its caller worse than native fetch or ky, or sends more than ky. */
export function failures(row: Row, found: Found): string[] {
  return HOLDFAST.flatMap((name) => {
    const own = found[name];
    const { native, ky } = found;
    if (!own || !native) return [];
    // It streams, as native fetch does; ky reads the body.
    const peers = !ky || (name === 'createFetch' && row.brokenBodies) ? { native } : { native, ky };
    const [peer, best] = Object.entries(peers).reduce((one, other) =>
      other[1].share > one[1].share ? other : one,
    );
    const failed: string[] = [];
    if (own.share < best.share - TOLERANCE)
      failed.push(`${name} ${percent(own.share)} % (${peer} ${percent(best.share)} %)`);
    if (ky && sendsMore(own, ky)) {
      const [more, less] = [own, ky].map((one) => one.requestsPerCall.toFixed(2));
      failed.push(`${name} ${more} requests per call (ky ${less})`);
    }
    return failed;
  });
}

/** By both counts: a retry of what ky gives up costs requests, and one that succeeds is worth them. */
const sendsMore = (own: Figures, ky: Figures): boolean =>
  own.requestsPerCall > ky.requestsPerCall * EXCESS &&
  own.requestsPerSuccess > ky.requestsPerSuccess * EXCESS;

/** Whether both of holdfast's faces reach the goals of DESIGN, one word for each goal. */
export function goals({ goal, brokenBodies }: Row, found: Found): string {
  const own = HOLDFAST.flatMap((name) =>
    // What streams cannot repeat a broken body.
    (brokenBodies && name === 'createFetch') || !found[name] ? [] : [found[name]],
  );
  const said: string[] = [];
  let reached = true;
  const say = (text: string, met: boolean): void => {
    // Few requests are no merit of calls that fail.
    said.push(`${text}: ${reached ? (met ? 'yes' : 'no') : '–'}`);
    reached &&= met;
  };
  const share = goal.share === 'native' ? found.native?.share : goal.share;
  const name = goal.share === 'native' ? 'native' : `${percent(share ?? 0)} %`;
  if (share !== undefined)
    say(
      `≥ ${name}`,
      own.every((one) => one.share >= share - 0.005),
    );
  const { requests, ofKy } = goal;
  if (requests !== undefined)
    say(
      `≤ ${requests} req.`,
      own.every((one) => one.requestsPerCall <= requests * 1.005),
    );
  const { ky } = found;
  if (ofKy !== undefined && ky)
    say(
      `≤ ${ofKy} ky`,
      own.every((one) => one.requestsPerCall <= ky.requestsPerCall * ofKy),
    );
  return said.join(', ');
}

/** One digit where it matters. */
export const percent = (share: number): string => (share * 100).toFixed(1).replace('.0', '');
