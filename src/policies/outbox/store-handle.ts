import type { Host } from '../../core/contract.ts';
import { ClosedError } from '../../core/errors.ts';
import type { AtomicStore } from '../../core/store.ts';
import { STORE_TIMEOUT } from './options.ts';

/** Tracks work on the store, which must end before the store is closed. */
export class StoreHandle {
  readonly #host: Host;
  readonly #work = new Set<Promise<void>>();
  /** Operations of the store, with their start. */
  readonly #asked = new Map<Promise<void>, number>();
  #isOver = false;

  constructor(host: Host) {
    this.#host = host;
  }

  /** @returns the work itself. */
  track<T>(work: Promise<T>): Promise<T> {
    const over = (): void => void this.#work.delete(drained);
    const drained: Promise<void> = work.then(over, over);
    this.#work.add(drained);
    return work;
  }

  /** The store until it is closed: a later operation would open it again, and leave it open. */
  guard(store: AtomicStore): AtomicStore {
    const ask = <T>(work: () => Promise<T>): Promise<T> => {
      if (this.#isOver) return Promise.reject(new ClosedError());
      const asked = work();
      const over = (): void => void this.#asked.delete(ended);
      const ended: Promise<void> = asked.then(over, over);
      this.#asked.set(ended, this.#host.clock.ticks());
      return asked;
    };
    return {
      name: store.name,
      durable: store.durable,
      get: (key) => ask(() => store.get(key)),
      body: (key) => ask(() => store.body(key)),
      range: (query) => ask(() => store.range(query)),
      rangeWithBodies: (query, pick) => ask(() => store.rangeWithBodies(query, pick)),
      groups: (prefix, limit) => ask(() => store.groups(prefix, limit)),
      count: (of) => ask(() => store.count(of)),
      write: (changes) => ask(() => store.write(changes)),
      change: (keys, decide, options) => ask(() => store.change(keys, decide, options)),
      close: () => store.close(),
    };
  }

  /** Resolves when no work is left. Operations older than the timeout are given up. */
  async ended(): Promise<void> {
    for (;;) {
      const since = this.#host.clock.ticks() - STORE_TIMEOUT;
      const asked = [...this.#asked].filter(([, at]) => at > since).map(([each]) => each);
      if (this.#work.size + asked.length === 0) break;
      await Promise.all([...this.#work, ...asked]);
    }
    this.#isOver = true;
  }

  /** Rejects every later operation. */
  close(): void {
    this.#isOver = true;
  }
}
