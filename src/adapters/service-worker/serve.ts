import type { FetchOptions } from '../../client/standard.ts';
import { type EventLifetime, withinEventLifetime } from '../../core/deadlines.ts';
import { systemHost } from '../../core/host.ts';
import type { HoldfastFetch } from '../../core/pipeline.ts';
import { SYNC_TAG } from '../../policies/outbox/options.ts';
import type { Outbox } from '../../policies/outbox/outbox.ts';
import { DeadlineError, withDeadline } from '../../primitives/clock.ts';
import { ConfigurationError, isFailure } from '../../primitives/failure.ts';
import { type Match, matches } from '../../primitives/request.ts';
import { ofType, readSettings, urlMatchRule, withMethods } from '../../primitives/validate.ts';
import { killSwitch } from './kill-switch.ts';

/** Which of a page's own `fetch` calls the worker responds to, and with which options. */
export type WorkerRoute = FetchOptions & {
  readonly match: Match;
};

export interface ServiceWorkerOptions {
  /** The pipeline. It shares entries, cached responses and (`betweenTabs()`) circuits with the pages by the same names. */
  readonly fetch: HoldfastFetch<FetchOptions>;
  /** Its outbox, to be drained when the browser wakes the worker. Default: none. */
  readonly outbox?: Outbox;
  /** The worker waits for this before its first call, such as `session.ready`; a call waits up to 10 s. */
  readonly ready?: Promise<unknown>;
  /**
   * Calls that the worker responds to. Default: none. A write is enqueued only if its route says `outbox`: a page
   * without an outbox may not understand a `202`.
   */
  readonly routes?: readonly WorkerRoute[];
  /** The tag of Background Sync. Default: that of `outbox({ backgroundSync: true })`. */
  readonly tag?: string;
  /** Of the `killSwitch()` that turns it off. Default `'holdfast-worker'`. */
  readonly name?: string;
  /** Where the worker's events come. Default: `globalThis`, in a service worker. */
  readonly scope?: WorkerScope;
}

/** The used part of a worker's events. */
interface Extendable {
  waitUntil(work: Promise<unknown>): void;
}
interface Fetching extends Extendable {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
}
interface Syncing extends Extendable {
  readonly tag: string;
  /** The browser will not try again. */
  readonly lastChance: boolean;
}
/** The used part of a `ServiceWorkerGlobalScope`. */
export interface WorkerScope {
  addEventListener(type: string, listener: (event: never) => void): void;
  readonly registration?: { readonly sync?: { register(tag: string): Promise<void> } };
}

/**
 * Makes a service worker take part: it drains the outbox when the browser wakes it (Background Sync), and responds to the
 * listed routes. Call it while the worker's script runs for the first time, as with all listeners.
 *
 * A write that cannot be stored (a full disk, credentials without `authorize`) goes to the network as if there were no worker.
 *
 * @example
 * const queue = outbox();
 * const fetch = createFetch({ partition: 'public', outbox: queue });
 * serviceWorker({ fetch, outbox: queue, routes: [{ match: '/api/' }] });
 */
export function serviceWorker(options: ServiceWorkerOptions): void {
  const { fetch, outbox, ready, routes, tag, name, scope } = readSettings(
    'serviceWorker',
    {
      fetch: [undefined as never, ofType<ServiceWorkerOptions['fetch']>('function')],
      outbox: [undefined, withMethods<Outbox>('an outbox', 'flush', 'counts', 'lanes', 'retire')],
      ready: [Promise.resolve(), ofType<Promise<unknown>>('object')],
      routes: [[], readRoutes],
      tag: [SYNC_TAG, ofType<string>('string')],
      name: ['holdfast-worker', ofType<string>('string')],
      scope: [
        globalThis as unknown as WorkerScope,
        withMethods<WorkerScope>('a service worker’s global scope', 'addEventListener'),
      ],
    },
    options,
  );
  if (options.fetch === undefined)
    throw new ConfigurationError('serviceWorker.fetch', undefined, 'expected what createFetch() gives');
  // Pages may have an outbox, too, where the worker has none.
  const deliveredBy = outbox ? outbox.idempotencyHeader : 'Idempotency-Key';
  if (routes.some((route) => route.outbox) && !outbox?.idempotencyHeader)
    throw new ConfigurationError(
      'serviceWorker.outbox',
      outbox,
      'a route that keeps writes needs an outbox with an `idempotencyHeader`',
    );
  const off = killSwitch(name);
  if (outbox) {
    // It has triggers of its own, and sends nothing before it is known that it may.
    const obey = (): void => outbox.retire(off.isOff);
    outbox.retire(true);
    void off.ready.then(obey);
    off.subscribe(obey);
  }
  // Each event awaits it by itself; without an event its failure is no unhandled rejection.
  ready.catch(() => {});

  if (routes.length > 0)
    scope.addEventListener('fetch', (event: Fetching) => {
      if (off.isOff) return;
      const route = matchRoute(event.request, routes);
      // Deliveries of a page's outbox pass here, too: enqueued again, they would go round for ever.
      const isDelivery = deliveredBy && event.request.headers.has(deliveredBy);
      if (!route || (route.outbox && isDelivery)) return;
      event.respondWith(respond(event, isDelivery ? { ...route, ...ONCE } : route));
    });
  if (outbox)
    scope.addEventListener('sync', (event: Syncing) => {
      if (event.tag === tag) event.waitUntil(drain(outbox, event));
    });

  async function respond(event: Fetching, { match: _, ...wanted }: WorkerRoute): Promise<Response> {
    const { request } = event;
    await off.ready;
    if (off.isOff) return globalThis.fetch(request);
    // One that never settles counts as one that rejects: the page waits for its response.
    await withDeadline(READY, { host: systemHost }, ready).catch(() => {});
    // Kept for the case that it goes to the network as it came.
    const given = request.body === null ? request : request.clone();
    try {
      return await fetch(given, {
        signal: request.signal,
        // Only a pipeline that has an outbox knows that word.
        holdfast: {
          ...(outbox && { outbox: false }),
          ...wanted,
          waitUntil: (work: Promise<unknown>) => event.waitUntil(work),
        },
      });
    } catch (error) {
      if (wanted.outbox && isUnaccepted(error)) return globalThis.fetch(request);
      throw error;
    }
  }

  /** Sends the waiting entries, and settles before the browser ends the event; rejects if it should try again. */
  async function drain(outbox: Outbox, { lastChance }: Syncing): Promise<void> {
    try {
      await withinEventLifetime(TIME, systemHost, async (signal) => {
        await off.ready;
        if (off.isOff) return;
        await ready;
        // There is a network: a backoff has lost its reason, but not the wait that an origin has asked for.
        const { left } = await outbox.flush({ due: 'retry-after', signal });
        if (left > 0 && (await canSend(outbox))) throw new StillWaitingError(`${left} writes still wait`);
      });
    } catch (error) {
      // Asked for while it fires, it begins anew: three more tries, with the browser's own waits.
      if (lastChance) await scope.registration?.sync?.register(tag).catch(() => {});
      const isLate = error instanceof DeadlineError;
      if (lastChance && (isLate || error instanceof StillWaitingError)) return;
      throw isLate ? new StillWaitingError('the time of the event is over', { cause: error }) : error;
    }
  }
}

/** The page's outbox decides whether a delivery is repeated: it may be at-most-once. */
const ONCE = { retry: false, failover: false } as const;

/** How long a call waits for `ready`, in ms. */
const READY = 10_000;

/** Chromium gives an event three minutes and counts one that it has to end as failed. */
const TIME: EventLifetime = { begin: 150_000, end: 170_000 };

/** Entries are left that can be sent later: the browser should wake the worker again. */
class StillWaitingError extends Error {
  override name = 'StillWaitingError';
}

/** Whether a lane is neither paused nor stopped: waking the worker again changes nothing about those. */
async function canSend(outbox: Outbox): Promise<boolean> {
  const [{ paused }, lanes] = await Promise.all([outbox.counts(), outbox.lanes()]);
  return (
    paused === undefined &&
    lanes.some(({ waiting, paused, stoppedBy }) => waiting > 0 && !paused && stoppedBy === undefined)
  );
}

/** Nothing was kept, and nothing was sent. */
const isUnaccepted = (error: unknown): boolean =>
  isFailure(error) &&
  error.attempts.length === 0 &&
  (['configuration', 'storage'].includes(error.category) ||
    ['outbox-full', 'too-large'].includes(error.code)) &&
  error.code !== 'storage-unknown';

function readRoutes(value: unknown, option: string): readonly WorkerRoute[] {
  if (!Array.isArray(value)) throw new ConfigurationError(option, value, 'expected a list');
  for (const route of value as WorkerRoute[]) urlMatchRule(route?.match, `${option}.match`);
  return value;
}

/** The part of a request that decides about the route. */
type Asked = Pick<Request, 'url' | 'mode' | 'headers' | 'destination'>;

/**
 * Finds the route for a request of a page's own `fetch`; the last one that matches.
 *
 * Navigations, subresources (images, scripts, …), `no-cors` and ranges are left to the browser: it knows how to respond,
 * and a wrong response to them would go unnoticed.
 */
function matchRoute<Route extends { readonly match: Match }>(
  { url, mode, headers, destination }: Asked,
  routes: readonly Route[],
): Route | undefined {
  if (destination !== '' || !['cors', 'same-origin'].includes(mode) || headers.has('range')) return undefined;
  return routes.findLast(({ match }) => matches(match, url));
}
