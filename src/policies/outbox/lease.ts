import type { Host } from '../../core/contract.ts';
import type { AtomicStore, Item } from '../../core/store.ts';
import { chance } from '../../http/idempotency.ts';
import type { Fence } from './rows.ts';

/** How long a lane belongs to who took it, in ms. As long as it waits at the most for a sender that has died. */
const LEASE = 30_000;

/** Longer than any lease lasts, whatever the clocks of two processes are apart: then a clock was set back. */
const NEVER = 2 * LEASE;

interface Row {
  readonly holder: string;
  /** Grows with every holder: what an earlier one still wants to write is refused. */
  readonly token: number;
  /** Wall time in ms. */
  readonly until: number;
}

/** Where a lease is kept; all of a user's are one collection. */
export type LeasePlace = Pick<Required<Item>, 'key' | 'collection'>;

/**
 * The right to send a lane, for stores that are shared by processes which share no locks. It is renewed as long as it is
 * held; who was asleep for longer has lost it.
 *
 * @see Kleppmann, How to do distributed locking (2016): fencing tokens.
 */
export class Lease implements Fence {
  readonly key: string;
  readonly token: number;
  readonly #store: AtomicStore;
  readonly #place: LeasePlace;
  readonly #host: Host;
  readonly holder: string;
  #lost = false;
  #until: number;
  #released = false;
  #cancel = (): void => {};

  private constructor(store: AtomicStore, place: LeasePlace, { holder, token, until }: Row, host: Host) {
    this.#until = until;
    this.#store = store;
    this.#host = host;
    this.holder = holder;
    this.#place = place;
    this.key = place.key;
    this.token = token;
    this.#renewLater();
  }

  /** @returns how long to wait, in ms, where somebody else has it. */
  static async take(store: AtomicStore, place: LeasePlace, host: Host): Promise<Lease | number> {
    const { key } = place;
    const holder = chance(host.random);
    const taken = await store.change<Row | number>(
      [key],
      ([found]) => {
        const now = host.clock.now();
        const row = found?.value as Row | undefined;
        const left = (row?.until ?? 0) - now;
        if (left > 0 && left <= NEVER) return { changes: [], result: left };
        const value: Row = { holder, token: (row?.token ?? 0) + 1, until: now + LEASE };
        return { changes: [{ put: { ...place, value } }], result: value };
      },
      { strict: true },
    );
    return typeof taken === 'number' ? taken : new Lease(store, place, taken, host);
  }

  /** Also where the machine has slept, and no timer has come yet to find it out. */
  get lost(): boolean {
    return this.#lost || this.#host.clock.now() >= this.#until;
  }

  /** Gives the lane back. The token stays, so that it goes on growing. */
  async release(): Promise<void> {
    this.#released = true;
    this.#cancel();
    await this.#write(0).catch(() => {});
  }

  async #renew(): Promise<void> {
    try {
      const until = this.#host.clock.now() + LEASE;
      this.#lost = !(await this.#write(until));
      this.#until = until;
    } catch {
      // The store is asked again; meanwhile the lease runs out, or it does not.
    }
    // It may have been given back while it was being renewed.
    if (!this.#lost && !this.#released) this.#renewLater();
  }

  #renewLater(): void {
    this.#cancel = this.#host.clock.after(LEASE / 3, () => void this.#renew(), { background: true });
  }

  /** @returns whether it was still held. */
  #write(until: number): Promise<boolean> {
    return this.#store.change([this.key], ([found]) => {
      const row = found?.value as Row | undefined;
      if (row?.token !== this.token || row.holder !== this.holder) return { changes: [], result: false };
      const value: Row = { holder: this.holder, token: this.token, until };
      return { changes: [{ put: { ...this.#place, value } }], result: true };
    });
  }
}

/** Whether those who share this store may share no locks. */
export const needsLease = ({ durable, withinOrigin = false, lock }: AtomicStore): boolean =>
  durable && !lock && !(withinOrigin && globalThis.navigator?.locks !== undefined);
