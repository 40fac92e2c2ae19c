import { originUrl } from '../../../support/origin-url.ts';
import type { Behaviour } from '../../matrix/faults.ts';
import { misbehave } from '../../matrix/server.ts';
import { limits, type Network } from './table.ts';
import { publish } from './version.ts';

/** Port 2 is closed, and no browser forbids it. */
const CLOSED_PORT = 'http://127.0.0.1:2';

const behaviours: Record<Exclude<Network, 'up' | 'refused'>, Behaviour> = {
  slow: { delay: limits.lateness },
  reset: { reset: true },
  silent: { hang: true },
  '503': { status: 503 },
  cut: { resetBody: true },
};

/**
 * A resource of the server that every runtime has, of which versions are published, and the way
 * there.
 */
export class Order {
  readonly url: string;
  version = 0;
  readonly #path = `/modes/${crypto.randomUUID()}/orders/1`;
  readonly #freshness: string;
  #isRefused = false;
  #heal = async (): Promise<void> => {};
  #end = async (): Promise<void> => {};

  /** @param freshness The `Cache-Control` of the origin. */
  constructor(freshness: string) {
    this.url = originUrl() + this.#path;
    this.#freshness = freshness;
  }

  /** With version 1. */
  async open(): Promise<void> {
    const [end] = await Promise.all([this.#rule({}), this.publish()]);
    this.#end = end;
  }

  /** As another client would, which this page does not know. */
  async publish(): Promise<void> {
    await publish(`${this.url}?elsewhere`, ++this.version);
  }

  /** From now on. */
  async network(network: Network): Promise<void> {
    await this.misbehave(network === 'up' || network === 'refused' ? undefined : behaviours[network]);
    this.#isRefused = network === 'refused';
  }

  /** The faults of reads; publishing always works. */
  async misbehave(behaviour: Behaviour | undefined): Promise<void> {
    // The newest rule counts, even if the one before is still there.
    const [heal] = await Promise.all([behaviour ? this.#rule(behaviour) : async () => {}, this.#heal()]);
    this.#heal = heal;
  }

  /** The transport of reads. */
  readonly fetch = (request: Request, init: RequestInit): Promise<Response> =>
    globalThis.fetch(this.#isRefused ? new Request(CLOSED_PORT + this.#path, request) : request, init);

  async close(): Promise<void> {
    await Promise.all([this.#heal(), this.#end()]);
  }

  #rule(behaviour: Behaviour): Promise<() => Promise<void>> {
    const server = { url: originUrl(), control: originUrl() };
    // A stand-in for a missing response has no freshness; without a `Date` only the page's own
    // clock counts.
    const header = behaviour.status ? [] : [`Cache-Control: ${this.#freshness}`, 'Date:'];
    return misbehave(server, this.#path, { header, ...behaviour }, undefined, 'GET');
  }
}
