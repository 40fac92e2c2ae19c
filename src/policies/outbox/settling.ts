import type { Settled } from './answers.ts';
import type { OutboxEntry } from './entry.ts';
import { light } from './light.ts';

/**
 * So many of a lane are taken out with one commit at the most, while as many are sent that go with the next one. If the page
 * is killed then, all of them are sent again, in order, each under its key.
 */
const BATCH = 50;

/** And so many bytes of answers, which come as bytes, but for one that has more: a slow disk must be done with them in time. */
const LIGHT = 1_000_000;

/** A write with the origin's answer to it. */
export interface Delivered {
  readonly entry: OutboxEntry;
  readonly settled: Settled;
  /** It may be sent again, with those that were delivered after it. */
  readonly mayComeAgain: boolean;
}

/**
 * Writes of a lane that have been delivered and are being taken out: always the first ones of those that are left, or one
 * that is sent again would take effect after a later one.
 */
export class Settling {
  readonly #takeOut: (batch: readonly Delivered[]) => Promise<void>;
  #gathered: Delivered[] = [];
  /** One that goes on. */
  #under: Promise<void> | undefined;
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
    while (this.#under && this.#isFull) await this.#under;
    if (this.#failure) throw this.#failure.error;
  }

  /** Settles when all of them are out. @throws what that has failed with. */
  async done(): Promise<void> {
    while (this.#under) await this.#under;
    if (this.#failure) throw this.#failure.error;
  }

  get #isFull(): boolean {
    const weight = this.#gathered.reduce((sum, each) => sum + weightOf(each), 0);
    return this.#gathered.length >= BATCH || weight >= LIGHT;
  }

  /** What has gathered goes together; behind a failure nothing more. */
  #next(): void {
    this.#under = undefined;
    if (this.#gathered.length === 0 || this.#failure) return;
    const batch = light(this.#gathered.slice(0, BATCH), weightOf, LIGHT);
    this.#gathered = this.#gathered.slice(batch.length);
    this.#under = this.#takeOut(batch)
      .catch((error) => {
        this.#failure = { error };
      })
      .then(() => this.#next());
  }
}

const weightOf = ({ settled: { body } }: Delivered): number =>
  body instanceof Uint8Array ? body.byteLength : 0;
