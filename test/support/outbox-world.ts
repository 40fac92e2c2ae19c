import type { HoldfastFetch } from '../../src/core/pipeline.ts';
import type { AtomicStore } from '../../src/core/store.ts';
import type { CallOutbox, OutboxOptions } from '../../src/policies/outbox/options.ts';
import { type Outbox, outboxPolicy } from '../../src/policies/outbox/outbox.ts';
import { attemptTimeout } from '../../src/policies/timeout.ts';
import { ConfigurationError } from '../../src/primitives/failure.ts';
import { memoryStore } from '../../src/stores/memory.ts';
import { networkError, ok, status, type TestHost, testHost, virtualClock } from '../../src/testing.ts';
import { leanPipeline } from './lean-pipeline.ts';
import { type Death, type MortalStore, mortalStore } from './mortal-store.ts';
import { quiet } from './platform.ts';

/** The origin's reaction to a request. */
export type Fate =
  | 'applied'
  /** It takes effect, and the response is lost. */
  | 'lost'
  | 'turned away'
  | 'unreached'
  | 'refused';

export const FATES: readonly Fate[] = ['applied', 'lost', 'turned away', 'unreached', 'refused'];

/** A write that was given, and what its caller knows of it. */
export interface Given {
  readonly body: string;
  readonly lane: string;
  /** `'unknown'`: its page died before the result came. */
  is: 'unknown' | 'accepted' | 'not accepted';
}

const URL_ = 'https://api.example.com/orders';

/** An origin that honours keys, a store that outlives its pages, and a page after the other. */
export class World {
  readonly host: TestHost = testHost({ clock: virtualClock({ quiet }) });
  /** Bodies in the order in which they took effect, by the key under which they did. */
  readonly applied = new Map<string, string>();
  /** Bodies of everything that arrived, with its key. */
  readonly arrived: { readonly key: string; readonly body: string }[] = [];
  readonly given: Given[] = [];
  /** The origin's next reactions; afterwards it succeeds. */
  readonly fates: Fate[] = [];
  readonly #inner: AtomicStore;
  readonly #options: OutboxOptions;
  #store!: MortalStore;
  #fetch: HoldfastFetch | undefined;
  outbox!: Outbox;

  constructor(inner: AtomicStore, options: OutboxOptions = {}) {
    this.#inner = inner;
    this.#options = options;
  }

  get asked(): number {
    return this.#store.asked;
  }

  /** A new page; the one before dies, and nothing that it has begun goes on. */
  async open(death?: Death): Promise<void> {
    await this.close();
    const store = mortalStore(this.#inner, this.host.clock, death);
    this.#store = store;
    this.outbox = outboxPolicy({ pollInterval: '1h', ...this.#options, store }, memoryStore);
    this.#fetch = leanPipeline([this.outbox, attemptTimeout('10s')], {
      partition: 'ann',
      host: this.host,
      fetch: (request) => (store.isDead ? new Promise(() => {}) : this.#respond(request)),
    });
  }

  async close(): Promise<void> {
    this.#store?.die();
    await this.#fetch?.close();
    this.#fetch = undefined;
  }

  /** Begins a write, without a wait for it. */
  write(body: string, lane: string, more: CallOutbox = {}): void {
    const store = this.#store;
    const given: Given = { body, lane, is: 'unknown' };
    this.given.push(given);
    const response = this.#fetch?.(URL_, { method: 'POST', body, holdfast: { outbox: { lane, ...more } } });
    response?.then(
      () => {
        if (!store.isDead) given.is = 'accepted';
      },
      (error) => {
        if (store.isDead) return;
        // A dead letter that had no response was accepted all the same.
        given.is = error.code === 'dead-lettered' ? 'accepted' : 'not accepted';
        if (error instanceof ConfigurationError) throw error;
      },
    );
  }

  /** Lets time pass until all that can happen has. */
  async settle(ms = 1_000): Promise<void> {
    await this.host.clock.advance(ms);
  }

  async #respond(request: Request): Promise<Response> {
    const key = request.headers.get('idempotency-key') ?? '';
    const body = await request.text();
    this.arrived.push({ key, body });
    const fate = this.fates.shift() ?? 'applied';
    if (fate === 'unreached') throw networkError();
    if (fate === 'turned away') return status(503);
    if (fate === 'refused' && !this.applied.has(key)) return status(422);
    if (!this.applied.has(key)) this.applied.set(key, body);
    if (fate === 'lost') throw networkError();
    return ok();
  }

  /** The dead letters' bodies. */
  async dead(): Promise<string[]> {
    const entries = await this.outbox.entries({ state: 'dead-letter', limit: 1_000 });
    return Promise.all(entries.map(async ({ id }) => (await this.outbox.request(id))?.text() ?? ''));
  }
}
