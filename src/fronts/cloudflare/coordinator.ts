import { PerOrigin } from '../../core/origins.ts';
import { SharedRates } from './shared-rates.ts';
import {
  type BudgetNews,
  type BudgetReport,
  type CircuitNews,
  type CircuitReport,
  MOST_WORDS,
  type Reply,
  readReport,
} from './sharing-words.ts';

/** What is known of a circuit; `version` 0: nothing. */
interface KnownCircuit {
  is: CircuitReport['is'];
  /** How long it counts, in ticks: after that anything else is newer. */
  until: number;
  times: number;
  version: number;
  by: string;
}

/** So long a circuit that has closed is not opened by who had not heard of it; in ms. */
const CLOSED_COUNTS = 10_000;

/**
 * What isolates share, in memory: it comes from their reports, and comes again from them when it is lost. Of at most 1,000
 * origins each.
 */
export class Coordinator {
  readonly #life: string;
  #version = 0;
  readonly #circuits = new PerOrigin(
    (): KnownCircuit => ({ is: 'closed', until: 0, times: 0, version: 0, by: '' }),
  );
  readonly #rates = new SharedRates();
  readonly #budgets = new PerOrigin(() => ({ spent: 0 }));

  /** @param life Unlike any other's. */
  constructor(life: string) {
    this.#life = life;
  }

  /**
   * @param given A report.
   * @param now In ticks.
   * @throws {TypeError} where it is none.
   */
  exchange(given: unknown, now: number): Reply {
    const { from, life, since, every, circuits, rates, budgets } = readReport(given);
    const knowsUs = life === this.#life;
    const refused = circuits
      .filter((report) => !this.#accept(report, knowsUs ? report.seen : 0, from, now))
      .map(({ key }) => key);
    const news = this.#newsSince(knowsUs ? since : undefined, from, refused, now);
    const last = news.length > MOST_WORDS ? (news[MOST_WORDS - 1] as CircuitNews).version : this.#version;
    return {
      life: this.#life,
      version: last,
      circuits: news.slice(0, MOST_WORDS),
      rates: rates.map((report) => this.#rates.divide(report, from, every, now)),
      // Who knew another life of ours knows what was spent then.
      budgets: budgets.map((report) => this.#spend(report, life === undefined || knowsUs)),
    };
  }

  #accept({ key, is, left, times, seen }: CircuitReport, knew: number, by: string, now: number): boolean {
    const known = this.#circuits.get(key);
    if (is !== 'isolated' && Math.min(seen, knew) < known.version && counts(known, now)) return false;
    const until = now + (is === 'closed' ? CLOSED_COUNTS : left);
    Object.assign(known, { is, until, times, by, version: ++this.#version });
    return true;
  }

  /** In the order in which it came. @param since Absent: to who comes new. */
  #newsSince(
    since: number | undefined,
    from: string,
    refused: readonly string[],
    now: number,
  ): CircuitNews[] {
    const news: CircuitNews[] = [];
    for (const [key, known] of this.#circuits.entries()) {
      const { is, until, times, version, by } = known;
      // That a circuit has closed says nothing to who never heard that it was open.
      const matters = is === 'closed' ? since !== undefined || by === from : counts(known, now);
      const isNews = version > (since ?? 0) && matters;
      if (!isNews && !refused.includes(key)) continue;
      const left = is === 'open' || is === 'half-open' ? Math.max(0, until - now) : 0;
      news.push({ key, is, left, times, version, by });
    }
    return news.sort((a, b) => a.version - b.version);
  }

  #spend({ key, most, delta, spent }: BudgetReport, adds: boolean): BudgetNews {
    const known = this.#budgets.get(key);
    known.spent = Math.min(most, Math.max(0, adds ? known.spent + delta : Math.max(known.spent, spent)));
    return { key, spent: known.spent };
  }
}

const counts = ({ is, until, version }: KnownCircuit, now: number): boolean =>
  version > 0 && (is === 'isolated' || now < until);
