import type { Host } from '../../../core/contract.ts';
import type { AtomicStore, Item } from '../../../core/store.ts';
import { chance } from '../../../http/idempotency.ts';
import type { Get } from './records.ts';

/** How long a lease lasts, in ms: the longest that a lane waits for a worker that has died. */
const LEASE = 30_000;

/** No lease lasts longer, also if the clocks of two processes differ: beyond it, a clock was set back. */
const NEVER = 2 * LEASE;

interface LeaseRecord {
  readonly holder: string;
  /** The fence: grows with every holder, so that writes of earlier ones are rejected. */
  readonly token: number;
  /** Wall time in ms. */
  readonly until: number;
}

/**
 * The right to send a lane and to change its entries, for stores that processes without common locks share. The holder renews it;
 * one that slept for longer has lost it, and changes nothing more.
 *
 * @see Kleppmann, How to do distributed locking (2016): fencing tokens.
 */
export class Lease {
  readonly key: string;
  readonly token: number;
  readonly #store: AtomicStore;
  readonly #place: Item<LeaseRecord>;
  readonly #host: Host;
  #until: number;
  #released = false;
  #cancel = (): void => {};

  private constructor(store: AtomicStore, place: Item<LeaseRecord>, host: Host) {
    this.#store = store;
    this.#place = place;
    this.#host = host;
    this.key = place.key;
    this.token = place.value.token;
    this.#until = place.value.until;
    this.#renewLater();
  }

  /** @returns how long to wait, in ms, if another process holds it. */
  static async take(
    store: AtomicStore,
    place: { readonly key: string; readonly collection: string },
    host: Host,
  ): Promise<Lease | number> {
    const holder = chance(host.random);
    const taken = await store.change<Item<LeaseRecord> | number>(
      [place.key],
      ([found]) => {
        const now = host.clock.now();
        const { until = 0, token = 0 } = (found?.value ?? {}) as Partial<LeaseRecord>;
        const left = until - now;
        if (left > 0 && left <= NEVER) return { changes: [], result: left };
        const put = { ...place, value: { holder, token: token + 1, until: now + LEASE } };
        return { changes: [{ put }], result: put };
      },
      { strict: true },
    );
    return typeof taken === 'number' ? taken : new Lease(store, taken, host);
  }

  /** By the clock, as timers fire late after the machine has slept. */
  get lost(): boolean {
    return this.#host.clock.now() >= this.#until;
  }

  /** In a change that reads `key`: whether this worker still has the lane. */
  isValid(get: Get): boolean {
    return this.#isOurs(get<LeaseRecord>(this.key));
  }

  /** Releases the lane. The token stays, so that it goes on growing. */
  async release(): Promise<void> {
    this.#released = true;
    this.#cancel();
    await this.#write(0).catch(() => {});
  }

  #isOurs(found: LeaseRecord | undefined): boolean {
    const { holder, token } = this.#place.value;
    const isOurs = found?.token === token && found.holder === holder;
    // Once another holder was seen, it stays lost.
    if (!isOurs) this.#until = 0;
    return isOurs;
  }

  #renewLater(): void {
    this.#cancel = this.#host.clock.after(LEASE / 3, () => void this.#renew(), { background: true });
  }

  async #renew(): Promise<void> {
    try {
      const until = this.#host.clock.now() + LEASE;
      if (!(await this.#write(until))) return;
      this.#until = until;
    } catch {
      // The next renewal tries again, unless the lease has expired by then.
    }
    // It may have been released during the renewal.
    if (!this.#released) this.#renewLater();
  }

  /** @returns whether it was still held. */
  #write(until: number): Promise<boolean> {
    return this.#store.change([this.key], ([found]) => {
      if (!this.#isOurs(found?.value as LeaseRecord | undefined)) return { changes: [], result: false };
      const value = { ...this.#place.value, until };
      return { changes: [{ put: { ...this.#place, value } }], result: true };
    });
  }
}

/** Whether processes without common locks may share this store. */
export const needsLease = ({ durable, withinOrigin = false, lock }: AtomicStore): boolean =>
  durable && !lock && !(withinOrigin && globalThis.navigator?.locks !== undefined);
