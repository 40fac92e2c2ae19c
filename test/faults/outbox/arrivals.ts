import { createHash } from 'node:crypto';
import type { Entry } from '../../../tools/misbehaving-server/ledger.ts';
import { LANES, order, writeCalled } from './page/writes.ts';

/** The origin's ledger, by the body: under one key or under several. */
export class Arrivals {
  readonly #entries: readonly Entry[];
  readonly #byItem: ReadonlyMap<string, readonly Entry[]>;
  readonly #seed: number;

  constructor(ledger: readonly Entry[], seed: number) {
    // A request that was cut off has no body, and no effect.
    this.#entries = ledger.filter(({ body }) => body !== null);
    this.#byItem = Map.groupBy(this.#entries, itemOf);
    this.#seed = seed;
  }

  get items(): string[] {
    return [...this.#byItem.keys()];
  }

  /** The number of its effects. */
  applied(item: string): number {
    return (this.#byItem.get(item) ?? []).reduce((sum, { applied }) => sum + applied, 0);
  }

  /** Sendings beyond the first of each. */
  get repetitions(): number {
    return this.#entries.reduce((sum, { seen }) => sum + seen, 0) - this.#byItem.size;
  }

  /** Writes that took effect later than a write of their lane that was queued after them. */
  outOfOrder(): string[] {
    return LANES.flatMap((lane) => {
      const applied = this.items.filter((item) => item.startsWith(lane) && this.applied(item) > 0);
      const asWritten = applied.toSorted(order);
      return asWritten.filter((item, at) =>
        asWritten.slice(at + 1).some((later) => this.#first(later) < this.#first(item)),
      );
    });
  }

  overlapping(): string[] {
    return this.#entries.filter(({ overlaps }) => overlaps).map(itemOf);
  }

  /** Writes whose body arrived damaged. */
  spoilt(): string[] {
    return this.#entries.filter((entry) => entry.bodyDigest !== this.#digest(itemOf(entry))).map(itemOf);
  }

  #first(item: string): number {
    return Math.min(...(this.#byItem.get(item) ?? []).map(({ nth }) => nth ?? Number.POSITIVE_INFINITY));
  }

  #digest(item: string): string {
    return createHash('sha256').update(writeCalled(this.#seed, item).body).digest('hex');
  }
}

/** The ledger keeps the beginning of a body. */
const itemOf = ({ body }: Entry): string => /"item":"([^"]+)"/.exec(body ?? '')?.[1] ?? `unknown: ${body}`;
