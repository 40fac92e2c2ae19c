import { createFetch } from '../../../../src/client/fetch.ts';
import type { FetchOptions } from '../../../../src/client/standard.ts';
import type { Clock } from '../../../../src/core/contract.ts';
import type { Store } from '../../../../src/core/store.ts';
import { type HoldfastFetch, isFailure, sourceOf } from '../../../../src/index.ts';
import { cachePolicy } from '../../../../src/policies/cache/cache.ts';
import { systemClock } from '../../../../src/primitives/clock.ts';
import { memoryStore } from '../../../../src/stores/memory.ts';
import { macrotask } from '../../../../src/testing/clock.ts';
import { limits, limitsOf, type Mode, type Network, optionsOf, type Validators } from './table.ts';
import { versionOf } from './version.ts';

export interface Reading {
  /** `200 cache 1`, `TypeError network`: status, source and version, or name and code. */
  readonly words: string;
  /** 0 without a version. */
  readonly version: number;
}

export interface PageOptions {
  readonly validators: Validators;
  readonly store: Store;
  readonly transport?: (request: Request, init: RequestInit) => Promise<Response>;
}

/**
 * For five times the limits that the cache has by itself (4 s for the origin, 2 s for the store), so
 * that a busy machine does not count as a silent origin or a slow store.
 */
const patientClock: Clock = {
  ...systemClock,
  after: (ms, task, options) => systemClock.after(ms < 2_000 ? ms : ms * 5, task, options),
};

type Init = Parameters<HoldfastFetch<FetchOptions>>[1];

/** A page that reads orders. */
export class Page {
  /** How far its clock is ahead of the machine's, in ms. */
  ahead = 0;
  /** Requests made so far. */
  asked = 0;
  readonly #fetch: HoldfastFetch<FetchOptions>;

  constructor({ validators, store, transport = fetch }: PageOptions) {
    this.#fetch = createFetch({
      partition: 'somebody',
      staleCache: cachePolicy({ store, validators }, memoryStore),
      retry: false,
      breaker: false,
      host: { clock: { ...patientClock, now: () => systemClock.now() + this.ahead } },
      fetch: (request, init) => {
        this.asked++;
        return transport(request, init);
      },
    });
  }

  /**
   * Until all its work is over, also in the background.
   *
   * @param network Only for the timeout.
   */
  async read(url: string, mode: Mode, network: Network, cache: RequestCache = 'default'): Promise<Reading> {
    const later: Promise<unknown>[] = [];
    const holdfast: FetchOptions = {
      timeout: { attempt: limitsOf(network).attempt },
      staleCache: optionsOf(mode, network),
      waitUntil: (work) => void later.push(work),
    };
    // Some runtimes reject some modes, but all work without one.
    const init = cache === 'default' ? { holdfast } : { holdfast, cache };
    const whole = async (): Promise<Reading> => {
      const reading = await this.#read(url, init);
      await macrotask();
      for (const work of later) await work;
      return reading;
    };
    let timer: ReturnType<typeof setTimeout> | undefined;
    const hung = new Promise<Reading>((give) => {
      timer = setTimeout(give, limits.hung, { words: 'hung', version: 0 });
    });
    return Promise.race([whole(), hung]).finally(() => clearTimeout(timer));
  }

  async #read(url: string, init: Init): Promise<Reading> {
    let words = '';
    try {
      const response = await this.#fetch(url, init);
      words = `${response.status} ${sourceOf(response)}`;
      const body = await response.text();
      if (response.status !== 200) return { words, version: 0 };
      const version = versionOf(body, response.headers);
      return { words: `${words} ${version}`, version: Number(version) || 0 };
    } catch (error) {
      const failure = `${(error as Error).name} ${isFailure(error) ? error.code : error}`;
      return { words: words ? `${words}, then ${failure}` : failure, version: 0 };
    }
  }

  close(): Promise<void> {
    return this.#fetch.close();
  }
}
