import type { EventOf } from '../../core/events.ts';
import { categoryOf } from '../../core/outcome.ts';
import { type Category, isFailure } from '../../primitives/failure.ts';

/** A kind of failure, without the error's message. */
export interface TopError {
  readonly origin: string;
  readonly category: Category;
  /** The error's code or name, or `http-503`. */
  readonly code: string;
  readonly count: number;
  /** Wall time in ms. */
  readonly first: number;
  readonly last: number;
}

/** So many kinds are counted; a new one then takes the place of the rarest. */
const KINDS = 100;

/** So many characters of a name are kept. */
const LONGEST = 100;

/**
 * The most frequent failures, in bounded memory.
 *
 * @see Metwally, Agrawal, El Abbadi, Efficient computation of frequent and top-k elements in data streams (2005).
 */
export class TopErrors {
  readonly #kinds = new Map<string, { -readonly [K in keyof TopError]: TopError[K] }>();

  add({ origin, error, status, at }: EventOf<'call-ended'>, category: Category): void {
    const code = error === undefined ? `http-${status}` : codeOf(error);
    const name = `${origin} ${category} ${code}`;
    const known = this.#kinds.get(name);
    if (known) {
      known.count++;
      known.last = at;
      return;
    }
    const inherited = this.#kinds.size >= KINDS ? this.#makeRoom() : 0;
    this.#kinds.set(name, { origin, category, code, count: inherited + 1, first: at, last: at });
  }

  top(limit: number): TopError[] {
    const all = [...this.#kinds.values()].sort((a, b) => b.count - a.count || b.last - a.last);
    return all.slice(0, limit).map((kind) => ({ ...kind }));
  }

  /** @returns the count of the one that went: the new one may have been as frequent. */
  #makeRoom(): number {
    let [rarest, least] = ['', Infinity];
    for (const [name, { count }] of this.#kinds) if (count < least) [rarest, least] = [name, count];
    this.#kinds.delete(rarest);
    return least;
  }
}

function codeOf(error: unknown): string {
  try {
    if (isFailure(error)) return error.code;
    const name = error instanceof Error || error instanceof DOMException ? error.name : categoryOf(error);
    return String(name ?? 'unknown').slice(0, LONGEST);
  } catch {
    // A getter or a proxy that throws.
    return 'unknown';
  }
}
