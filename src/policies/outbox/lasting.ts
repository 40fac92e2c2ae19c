import type { Host } from '../../core/contract.ts';
import { ClosedError } from '../../core/errors.ts';
import type { AtomicStore } from '../../core/store.ts';
import { STORE_PATIENCE } from './options.ts';

/** Work that goes on after a call, and that has to have ended before the store is given back. */
export class Lasting {
  readonly #host: Host;
  readonly #work = new Set<Promise<void>>();
  /** What a store was asked for, and when. */
  readonly #asked = new Map<Promise<void>, number>();
  #isOver = false;

  constructor(host: Host) {
    this.#host = host;
  }

  /** @returns the work itself. */
  add<T>(work: Promise<T>): Promise<T> {
    const over = (): void => void this.#work.delete(ended);
    const ended: Promise<void> = work.then(over, over);
    this.#work.add(ended);
    return work;
  }

  /** The store as it is used until it is given back: afterwards it would be opened again, and nobody would close it. */
  lent(store: AtomicStore): AtomicStore {
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

  /** Settles when there is nothing left, and nothing more is begun. What has not been answered in all that time never is. */
  async ended(): Promise<void> {
    for (;;) {
      const since = this.#host.clock.ticks() - STORE_PATIENCE;
      const asked = [...this.#asked].filter(([, at]) => at > since).map(([each]) => each);
      if (this.#work.size + asked.length === 0) break;
      await Promise.all([...this.#work, ...asked]);
    }
    this.#isOver = true;
  }

  /** Nothing more is begun, whatever has not ended. */
  end(): void {
    this.#isOver = true;
  }
}
