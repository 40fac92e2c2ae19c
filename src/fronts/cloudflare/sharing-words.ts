/** What isolates and their coordinator tell each other. Times are durations, in ms: clocks differ. */

export interface Report {
  /** The isolate. */
  readonly from: string;
  /** The life of the coordinator that it last heard from: versions are of one life. */
  readonly life: string | undefined;
  /** The newest version that it has heard. */
  readonly since: number;
  /** How often it reports. */
  readonly every: number;
  readonly circuits: readonly CircuitReport[];
  readonly rates: readonly RateReport[];
  readonly budgets: readonly BudgetReport[];
}

interface CircuitWord {
  readonly key: string;
  readonly is: 'closed' | 'open' | 'half-open' | 'isolated';
  readonly left: number;
  readonly times: number;
}

export interface CircuitReport extends CircuitWord {
  /** The version of this circuit that the isolate knew when it changed it: old news does not overrule newer. */
  readonly seen: number;
}

export interface CircuitNews extends CircuitWord {
  readonly version: number;
  /** Who told it. */
  readonly by: string;
}

export interface RateReport {
  readonly key: string;
  /** Milliseconds between two calls of all isolates together; 0: no limit. */
  readonly interval: number;
  readonly burst: number;
  /** Calls a millisecond that want to go. */
  readonly demand: number;
  /** Calls that were let go since the last report. */
  readonly taken: number;
  /** The origin wants no call for so long. */
  readonly held: number;
}

export interface RateNews {
  readonly key: string;
  /** The part of the rate that the isolate may use, above 0 and up to 1. */
  readonly share: number;
  readonly held: number;
}

export interface BudgetReport {
  readonly key: string;
  /** Of its tokens. */
  readonly most: number;
  /** Spent since the last report; below 0 where more was given back. */
  readonly delta: number;
  /** Spent by all, as far as the isolate knows. */
  readonly spent: number;
}

export interface BudgetNews {
  readonly key: string;
  readonly spent: number;
}

export interface Reply {
  readonly life: string;
  /** All news up to this one is in it. */
  readonly version: number;
  readonly circuits: readonly CircuitNews[];
  readonly rates: readonly RateNews[];
  readonly budgets: readonly BudgetNews[];
}

/** How many of each kind one message has at most; the rest comes with the next. */
export const MOST_WORDS = 200;

/** A key that is longer is not shared. */
export const LONGEST_KEY = 1_000;

/** @throws {TypeError} where it is none. Words in it that make no sense are left out. */
export function readReport(given: unknown): Report {
  const { from, life, since, every, circuits, rates, budgets } = fields(given);
  if (!isText(from) || !isAmount(since) || !isAmount(every) || (life !== undefined && !isText(life)))
    throw new TypeError('not a report');
  return {
    from,
    life,
    since,
    every,
    circuits: words<CircuitReport>(circuits, (word) => isCircuit(word) && isAmount(word.seen)),
    rates: words<RateReport>(rates, (word) =>
      [word.interval, word.burst, word.demand, word.taken, word.held].every(isAmount),
    ),
    budgets: words<BudgetReport>(
      budgets,
      (word) => isAmount(word.most) && isAmount(word.spent) && Number.isFinite(word.delta),
    ),
  };
}

/** @throws {TypeError} where it is none. Words in it that make no sense are left out. */
export function readReply(given: unknown): Reply {
  const { life, version, circuits, rates, budgets } = fields(given);
  if (!isText(life) || !isAmount(version)) throw new TypeError('not an answer of a coordinator');
  return {
    life,
    version,
    circuits: words<CircuitNews>(
      circuits,
      (word) => isCircuit(word) && isAmount(word.version) && typeof word.by === 'string',
    ),
    rates: words<RateNews>(
      rates,
      ({ share, held }) => isAmount(share) && share > 0 && share <= 1 && isAmount(held),
    ),
    budgets: words<BudgetNews>(budgets, ({ spent }) => isAmount(spent)),
  };
}

type Fields = Record<string, unknown>;

const fields = (given: unknown): Fields => (typeof given === 'object' && given ? (given as Fields) : {});

const isAmount = (value: unknown): value is number =>
  typeof value === 'number' && value >= 0 && value < Infinity;

const isText = (value: unknown): value is string =>
  typeof value === 'string' && value !== '' && value.length <= LONGEST_KEY;

const isCircuit = ({ is, left, times }: Fields): boolean =>
  ['closed', 'open', 'half-open', 'isolated'].includes(is as string) && isAmount(left) && isAmount(times);

const words = <T>(given: unknown, makesSense: (word: Fields) => boolean): T[] =>
  (Array.isArray(given) ? given.slice(0, MOST_WORDS) : []).filter(
    (word) => isText(fields(word).key) && makesSense(fields(word)),
  );
