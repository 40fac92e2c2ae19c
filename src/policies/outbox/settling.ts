import type { Settled } from './answers.ts';
import type { OutboxEntry } from './entry.ts';

/**
 * So many of a lane may have been delivered and not yet be taken out while the next are sent: they share a commit. If the
 * page is killed then, they are sent again, in order, each under its key.
 */
const DEPTH = 32;

/** A write with the origin's answer to it. */
export interface Delivered {
  readonly entry: OutboxEntry;
  readonly settled: Settled;
}

/**
 * Writes of a lane that have been delivered and are being taken out: always the first ones of those that are left, or one
 * that is sent again would take effect after a later one.
 */
export class Settling {
  readonly #takeOut: (batch: readonly Delivered[]) => Promise<void>;
  #gathered: Delivered[] = [];
  #under: { readonly count: number; readonly ended: Promise<void> } | undefined;
  #failure: { readonly error: unknown } | undefined;

  /** @param takeOut Takes some out, in order: none of them behind one that is left. */
  constructor(takeOut: (batch: readonly Delivered[]) => Promise<void>) {
    this.#takeOut = takeOut;
  }

  add(delivered: Delivered): void {
    this.#gathered.push(delivered);
    if (!this.#under) this.#next();
  }

  /** Settles when there is room for one more. @throws what taking out has failed with. */
  async room(): Promise<void> {
    while (this.#under && this.#under.count + this.#gathered.length >= DEPTH) await this.#under.ended;
    if (this.#failure) throw this.#failure.error;
  }

  /** Settles when all of them are out. @throws what that has failed with. */
  async done(): Promise<void> {
    while (this.#under) await this.#under.ended;
    if (this.#failure) throw this.#failure.error;
  }

  /** All that has gathered goes together; behind a failure nothing more. */
  #next(): void {
    this.#under = undefined;
    const batch = this.#gathered;
    if (batch.length === 0 || this.#failure) return;
    this.#gathered = [];
    const ended = this.#takeOut(batch)
      .catch((error) => {
        this.#failure = { error };
      })
      .then(() => this.#next());
    this.#under = { count: batch.length, ended };
  }
}
