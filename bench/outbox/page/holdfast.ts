import {
  createFetch,
  type FetchOptions,
  type HoldfastFetch,
  indexedDBStore,
  type Outbox,
  outbox,
} from '../../../src/index.ts';
import { initOf, taken, URL_OF_WRITES } from './write.ts';

export const databaseOf = (name: string): string => `bench holdfast ${name}`;

/** The library as an application has it, with everything at its defaults but the limits. */
export class Holdfast {
  readonly box: Outbox;
  readonly fetch: HoldfastFetch<FetchOptions>;
  readonly #online = { state: false, subscribe: () => () => {} };
  #committed = (): void => {};
  #sent = 0;
  #mayGoOn = (_sent: number): boolean => true;

  /** Offline, so that nothing is sent. @param origin Takes a write. */
  constructor(name: string, origin: () => Promise<Response> = async () => taken()) {
    this.box = outbox({
      store: indexedDBStore({ name: databaseOf(name) }),
      maxEntries: 1_000_000,
      maxBytes: '10GB',
    });
    this.fetch = createFetch({
      name,
      partition: 'somebody',
      outbox: this.box,
      host: { connectivity: this.#online },
      onEvent: ({ type }) => {
        if (type === 'queued') this.#committed();
      },
      fetch: async () => {
        this.#sent++;
        // Offline from the last one on: it is still settled, and the next is not sent.
        if (!this.#mayGoOn(this.#sent)) this.#online.state = false;
        return origin();
      },
    });
  }

  /** @param committed Told of the commit, for each. @returns when the caller has its 202. */
  async enqueue(
    number: number,
    of: { lane: string; id?: string },
    committed = (): void => {},
  ): Promise<void> {
    this.#committed = committed;
    const { status } = await this.fetch(URL_OF_WRITES, { ...initOf(number), holdfast: { outbox: of } });
    if (status !== 202) throw new Error(`holdfast gave ${status} for a write that waits`);
  }

  /** @param mayGoOn Asked at each sending. @returns how many were sent; all of them are settled. */
  async drain(mayGoOn: (sent: number) => boolean = () => true): Promise<number> {
    this.#mayGoOn = mayGoOn;
    this.#sent = 0;
    this.#online.state = true;
    await this.box.flush();
    this.#online.state = false;
    return this.#sent;
  }

  close(): Promise<void> {
    return this.fetch.close();
  }
}
