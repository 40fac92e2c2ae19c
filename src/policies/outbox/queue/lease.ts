import type { Host } from '../../../core/contract.ts';
import type { AtomicStore, Item } from '../../../core/store.ts';
import { chance } from '../../../http/idempotency.ts';
import type { Fence } from './records.ts';

/** How long a lease lasts, in ms: the longest that a lane waits for a worker that has died. */
const LEASE = 30_000;

/** No lease lasts longer, also if the clocks of two processes differ: beyond it, a clock was set back. */
const NEVER = 2 * LEASE;

interface Row {
  readonly holder: string;
  /** The fence: grows with every holder, so that writes of earlier ones are rejected. */
  readonly token: number;
  /** Wall time in ms. */
  readonly until: number;
}

/** The key of a lease; the leases of a user are one collection. */
export type LeasePlace = Pick<Required<Item>, 'key' | 'collection'>;

/**
 * The right to send a lane, for stores that processes without common locks share. The holder renews it; one that slept for longer
 * has lost it.
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

  /** @returns how long to wait, in ms, if another process holds it. */
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

  /** By the clock, as timers fire late after the machine has slept. */
  get lost(): boolean {
    return this.#lost || this.#host.clock.now() >= this.#until;
  }

  /** Releases the lane. The token stays, so that it goes on growing. */
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
      // The next renewal tries again, unless the lease has expired by then.
    }
    // It may have been released during the renewal.
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

/** Whether processes without common locks may share this store. */
export const needsLease = ({ durable, withinOrigin = false, lock }: AtomicStore): boolean =>
  durable && !lock && !(withinOrigin && globalThis.navigator?.locks !== undefined);
