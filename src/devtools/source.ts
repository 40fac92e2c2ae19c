import type { HoldfastEvent } from '../core/events.ts';
import type { ProbedConnectivity, Reachability } from '../observability/connectivity.ts';
import type { Breaker } from '../policies/breaker/breaker.ts';
import type { CacheEntry } from '../policies/cache/admin.ts';
import type { StaleCache } from '../policies/cache/cache.ts';
import type { LaneInfo, OutboxCounts } from '../policies/outbox/manage.ts';
import type { Outbox } from '../policies/outbox/outbox.ts';
import type { OutboxEntry } from '../policies/outbox/queue/entry.ts';
import { isFailure } from '../primitives/failure.ts';
import type { Faults } from './faults.ts';
import { Listing } from './listing.ts';
import { put } from './model/circuits.ts';
import { Model } from './model/model.ts';
import { shownHeaders, shownUrl } from './model/words.ts';

/** Anything that tells events: a client, a fetch of `createFetch`, a pipeline. */
export interface Observed {
  subscribe(listener: (event: HoldfastEvent) => void): () => void;
}

/** The values that a client was made with. If one is absent, its tab shows what events tell. */
export interface DevtoolsParts {
  /** Tells clients apart. Default `'client 1'`, `'client 2'`, … */
  readonly name?: string;
  readonly breaker?: Pick<Breaker, 'states' | 'isolate' | 'reset'>;
  readonly outbox?: Pick<
    Outbox,
    | 'entries'
    | 'counts'
    | 'lanes'
    | 'request'
    | 'edit'
    | 'replay'
    | 'remove'
    | 'flush'
    | 'pause'
    | 'resume'
    | 'subscribe'
  >;
  readonly staleCache?: Pick<StaleCache, 'entries' | 'delete' | 'clear' | 'usage' | 'stats'>;
  readonly connectivity?: Pick<ProbedConnectivity, 'reachability'>;
  /** The transport of the client, for the tab Faults, and for headers in the tab Calls. */
  readonly faults?: Faults;
}

/** The state of a client at a glance. */
export interface Summary {
  readonly isOffline: boolean;
  readonly openCircuits: number;
  readonly waiting: number;
  readonly dead: number;
}

/** An attached client: its model, its parts and what they list. */
export class ClientSource {
  readonly name: string;
  readonly client: Observed;
  readonly parts: DevtoolsParts;
  readonly model = new Model();
  readonly waiting: Listing<OutboxEntry>;
  readonly dead: Listing<OutboxEntry>;
  readonly cached: Listing<CacheEntry>;
  counts: OutboxCounts | undefined;
  lanes: readonly LaneInfo[] = [];
  /** Changes with whatever was listed. */
  listed = 0;
  readonly #changed: () => void;
  readonly #ends: (() => void)[] = [];
  readonly #lookedUp = new Map<string, boolean>();
  #isCounting = false;
  #seen = -1;

  /** @param changed Called when there may be something new to show. */
  constructor(client: Observed, parts: DevtoolsParts, name: string, changed: () => void) {
    this.client = client;
    this.parts = parts;
    this.name = parts.name ?? name;
    this.#changed = changed;
    const { outbox, staleCache } = parts;
    const listed = (): void => {
      this.listed++;
      changed();
    };
    const entries = (state: OutboxEntry['state']): Listing<OutboxEntry> =>
      new Listing(async (after, limit) => (await outbox?.entries({ state, after, limit })) ?? [], listed);
    this.waiting = entries('waiting');
    this.dead = entries('dead-letter');
    this.cached = new Listing(
      async (after, limit) =>
        (await staleCache?.entries({ limit, ...(after !== undefined && { after }) })) ?? [],
      listed,
    );
    this.#listen();
  }

  /** The outbox or the cache of a client that was closed cannot be asked. */
  get isClosed(): boolean {
    return [this.waiting.error, this.dead.error].some((error) => isFailure(error) && error.code === 'closed');
  }

  get reachability(): Reachability {
    const isOffline = globalThis.navigator?.onLine === false;
    return this.parts.connectivity?.reachability ?? (isOffline ? 'offline' : 'online');
  }

  summary(): Summary {
    const { breaker } = this.parts;
    const states = breaker
      ? Object.values(breaker.states()).map(({ state }) => state)
      : [...this.model.circuits.records.values()].map(({ state }) => state);
    return {
      isOffline: this.reachability !== 'online',
      openCircuits: states.filter((state) => state !== 'closed').length,
      waiting: this.counts?.waiting ?? 0,
      dead: this.counts?.deadLetters ?? 0,
    };
  }

  /** Counts are cheap, and asked for again when events say that they may have changed. */
  count(): void {
    const { outbox } = this.parts;
    if (!outbox || this.#isCounting || this.#seen === this.model.queue.version) return;
    this.#isCounting = true;
    this.#seen = this.model.queue.version;
    void Promise.all([outbox.counts(), outbox.lanes()])
      .then(([counts, lanes]) => {
        this.counts = counts;
        this.lanes = lanes;
        this.listed++;
      })
      // A client that was closed, or a store that fails: what was known stays.
      .catch(() => {})
      .then(() => new Promise((done) => setTimeout(done, REST)))
      .then(() => {
        this.#isCounting = false;
        this.#changed();
      });
  }

  close(): void {
    for (const end of this.#ends.splice(0)) end();
  }

  /** What an entry writes, if an earlier page or another tab has queued it. */
  #lookUp(entry: string): void {
    const { calls } = this.model;
    if (calls.knows(entry) || this.#lookedUp.has(entry)) return;
    put(this.#lookedUp, entry, true);
    void Promise.resolve()
      .then(() => this.parts.outbox?.request(entry))
      .then((request) => {
        if (!request) return;
        calls.know(entry, request);
        this.#changed();
      })
      // A client that was closed, or a store that fails: the lane stays.
      .catch(() => {});
  }

  #listen(): void {
    const { model, parts } = this;
    let sending: string | undefined;
    this.#ends.push(
      this.client.subscribe((event) => {
        model.receive(event, Date.now(), this.reachability);
        // The transport is called in the same step, so the next request on the wire is of this call.
        if (event.type === 'attempt-started') sending = event.callId;
        if (event.type === 'sending') this.#lookUp(event.id);
        this.#changed();
      }),
    );
    if (parts.faults)
      this.#ends.push(
        parts.faults.watch((request) => {
          const call = sending === undefined ? undefined : model.calls.get(sending);
          sending = undefined;
          if (!call) return undefined;
          call.request = shownHeaders(request.headers);
          if (call.kind !== 'call') {
            call.method = request.method;
            call.url = shownUrl(request.url);
          }
          return (response) => {
            call.response = shownHeaders(response.headers);
            call.version++;
          };
        }),
      );
    try {
      // Other tabs send the same entries.
      const end = parts.outbox?.subscribe(() => {
        model.queue.version++;
        this.#changed();
      });
      if (end) this.#ends.push(end);
    } catch {
      // An outbox that is no part of a client yet tells nothing.
    }
  }
}

/** How long after counting the next counting may begin, in ms. */
const REST = 250;
