import { Arrivals } from './arrivals.ts';
import type { Life } from './heard.ts';
import type { Story } from './lives.ts';
import { lifeOf, writeCalled } from './page/writes.ts';

/** The number of each. */
export interface Counts {
  /** Their callers got the response before the browser was killed. */
  readonly accepted: number;
  /** Accepted as well, but the kill came before the response. */
  readonly unknown: number;
  readonly delivered: number;
  /** By reason: a status, or the code. */
  readonly dead: Readonly<Record<string, number>>;
  /** Dead letters although the origin had applied them, and only the response was lost. */
  readonly deadAndApplied: number;
  /** By code. */
  readonly refused: Readonly<Record<string, number>>;
  /** Sendings beyond the first. */
  readonly duplicates: number;
}

/** The damage that the browser does to its own database, and that no page can prevent. */
export interface Losses {
  /** Kills that left a log that ends within a record. */
  readonly cutLogs: readonly number[];
  /** Lives that found no database, though there had been one. */
  readonly withoutDatabase: readonly number[];
  /** The accepted writes that were lost with them. */
  readonly lost: readonly string[];
}

/** The wrong outcomes: items, or lives. */
export interface Wrongs {
  /** Accepted, and neither applied nor a dead letter. */
  readonly lost: readonly string[];
  /** Lives without a database for which no log is to blame. */
  readonly unexplained: readonly number[];
  readonly appliedTwice: readonly string[];
  /** First applied before one of their lane that was accepted earlier. */
  readonly outOfOrder: readonly string[];
  /** Under way during another sending of their lane. */
  readonly overlapping: readonly string[];
  /** Rejected, and received by the origin all the same. */
  readonly refusedAndSent: readonly string[];
  /** Its caller got a success that the origin knows nothing of. */
  readonly answeredFalsely: readonly string[];
  /** A dead letter though the origin would have accepted it. */
  readonly buriedAlive: readonly string[];
  /** Its body arrived damaged. */
  readonly spoilt: readonly string[];
  /** Lives in which the outbox had fewer or more entries than its count. */
  readonly miscounted: readonly number[];
}

export interface Reckoning {
  readonly counts: Counts;
  readonly losses: Losses;
  readonly wrongs: Wrongs;
}

export function reckon({ plan, heard, left, ledger }: Story): Reckoning {
  const { lives, accepted, answered, refused } = heard;
  const arrivals = new Arrivals(ledger, plan.seed);
  const dead = new Map(left.dead.map(({ item, why }) => [item, why]));
  const isApplied = (item: string): boolean => arrivals.applied(item) > 0;
  const isInvalid = (item: string): boolean => writeCalled(plan.seed, item).kind === 'invalid';
  const delivered = arrivals.items.filter(isApplied);
  const missing = [...accepted].filter((item) => !isApplied(item) && !dead.has(item));
  const withoutDatabase = livesWithout(lives, accepted);
  const wentWithIt = (item: string): boolean => {
    const loss = withoutDatabase.find((life) => life > lifeOf(item));
    return loss !== undefined && wasHeld(item, lives.slice(0, loss));
  };
  return {
    counts: {
      accepted: accepted.size,
      unknown: new Set([...delivered, ...dead.keys()].filter((item) => !accepted.has(item))).size,
      delivered: delivered.length,
      dead: tally(dead.values()),
      deadAndApplied: [...dead.keys()].filter(isApplied).length,
      refused: tally(refused.values()),
      duplicates: arrivals.repetitions,
    },
    losses: {
      cutLogs: lives.flatMap(({ isLogCut }, life) => (isLogCut ? [life] : [])),
      withoutDatabase,
      lost: missing.filter(wentWithIt),
    },
    wrongs: {
      lost: missing.filter((item) => !wentWithIt(item)),
      unexplained: withoutDatabase.filter((life, nth) => {
        // Cut in one life, written on in the next, unreadable in the one after.
        const since = lives.slice(withoutDatabase[nth - 1] ?? 0, life - 1);
        return !since.some(({ isLogCut }) => isLogCut);
      }),
      appliedTwice: delivered.filter((item) => arrivals.applied(item) > 1),
      outOfOrder: arrivals.outOfOrder(),
      overlapping: arrivals.overlapping(),
      refusedAndSent: [...refused.keys()].filter((item) => arrivals.items.includes(item)),
      answeredFalsely: [...answered].flatMap(([item, status]) =>
        status < 300 && !isApplied(item) ? [item] : [],
      ),
      buriedAlive: [...dead].flatMap(([item, why]) =>
        why === 'attempts' || (why === '422' && isInvalid(item)) ? [] : [`${item}: ${why}`],
      ),
      spoilt: arrivals.spoilt(),
      miscounted: lives.flatMap(({ found }, life) =>
        found && found.count !== found.waiting.length ? [life] : [],
      ),
    },
  };
}

/** The lives that should have found a database: since the last such one, a write had been accepted. */
function livesWithout(lives: readonly Life[], accepted: ReadonlySet<string>): number[] {
  const wrote = new Set([...accepted].map(lifeOf));
  const without: number[] = [];
  let isExpected = false;
  for (const [life, { database }] of lives.entries()) {
    if (isExpected && database !== 'there') {
      without.push(life);
      isExpected = false;
    }
    isExpected ||= wrote.has(life);
  }
  return without;
}

/** Whether it was still there when the last of these lives was. */
function wasHeld(item: string, lives: readonly Life[]): boolean {
  const found = lives.findLast((life, nth) => nth > lifeOf(item) && life.found)?.found;
  return !found || found.waiting.includes(item) || found.dead.some((letter) => letter.item === item);
}

function tally(names: Iterable<string>): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const name of names) counts[name] = (counts[name] ?? 0) + 1;
  return counts;
}
