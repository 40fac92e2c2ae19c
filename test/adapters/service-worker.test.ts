import { afterEach, describe, expect, test } from 'vitest';
import { killSwitch } from '../../src/adapters/service-worker/kill-switch.ts';
import { type ServiceWorkerOptions, serviceWorker } from '../../src/adapters/service-worker/serve.ts';
import { sharedSession } from '../../src/adapters/service-worker/session.ts';
import { createFetch } from '../../src/client/fetch.ts';
import type { FetchOptions } from '../../src/client/standard.ts';
import { failover } from '../../src/policies/failover.ts';
import type { OutboxOptions } from '../../src/policies/outbox/options.ts';
import { outboxPolicy } from '../../src/policies/outbox/outbox.ts';
import { memoryStore } from '../../src/stores/memory.ts';
import {
  macrotask,
  networkError,
  ok,
  scriptedOrigin,
  status,
  testHost,
  virtualClock,
} from '../../src/testing.ts';
import { deferred } from '../support/deferred.ts';
import { durableStore } from '../support/durable.ts';
import { page, settle } from '../support/outbox-page.ts';
import { give } from '../support/outbox-writes.ts';
import { quiet } from '../support/platform.ts';

const API = 'https://api.example.com/orders';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

/**
 * A worker with its events; `passed` are the requests that went to the network as if there were no
 * worker.
 */
function worker(options: Partial<ServiceWorkerOptions> & { box?: OutboxOptions; user?: () => string } = {}) {
  const { box = {}, user = () => 'ann', ...rest } = options;
  const host = testHost({ clock: virtualClock({ quiet }) });
  const origin = scriptedOrigin(host.clock);
  const outbox = outboxPolicy({ store: durableStore(), pollInterval: '1h', ...box }, memoryStore);
  const name = `worker ${crypto.randomUUID()}`;
  const fetch = createFetch({ name, partition: user, outbox, fetch: origin.fetch, host, retry: false });
  const listeners = new Map<string, (event: never) => void>();
  const registered: string[] = [];
  const scope = {
    addEventListener: (type: string, listener: (event: never) => void) => void listeners.set(type, listener),
    registration: { sync: { register: async (tag: string) => void registered.push(tag) } },
  };
  serviceWorker({ fetch, outbox, scope, name, ...rest });
  const platform = globalThis.fetch;
  const passed: Request[] = [];
  globalThis.fetch = async (input) => {
    passed.push(input as Request);
    return ok('from the network');
  };
  ends.push(() => {
    globalThis.fetch = platform;
    return fetch.close();
  });
  return {
    host,
    origin,
    outbox,
    name,
    passed,
    registered,
    listeners,
    /** The response of the worker; `undefined` if it leaves the request to the browser. */
    async dispatch(request: Request): Promise<Response | undefined> {
      let responded: Promise<Response> | undefined;
      const respondWith = (response: Promise<Response>): void => {
        responded = response;
      };
      listeners.get('fetch')?.({ request, respondWith, waitUntil() {} } as never);
      return responded;
    },
    async syncs(tag = 'holdfast-outbox', lastChance = false): Promise<unknown> {
      let work: Promise<unknown> | undefined;
      listeners.get('sync')?.({
        tag,
        lastChance,
        waitUntil(promise: Promise<unknown>) {
          work = promise;
        },
      } as never);
      return work;
    },
  };
}

/** In some runtimes a request has no destination. */
const requestOf = (url: string, init: RequestInit & { destination?: string } = {}): Request => {
  const { destination = '', mode = 'cors', ...rest } = init;
  const request = new Request(url, rest);
  return Object.defineProperties(request, { destination: { value: destination }, mode: { value: mode } });
};

/** Other runtimes have no service workers. */
const canShareState = typeof indexedDB === 'object';

const POST = { method: 'POST', body: 'order' };

/** Timers of the platform for so many ms and more. @returns fires those of up to so many ms. */
function longTimers(from = 60_000): (until: number) => void {
  const { setTimeout: own } = globalThis;
  const waiting: { readonly ms: number; readonly task: () => void }[] = [];
  globalThis.setTimeout = ((task: () => void, ms = 0) => {
    if (ms < from) return own(task, ms);
    waiting.push({ ms, task });
    return -1;
  }) as never;
  ends.push(() => {
    globalThis.setTimeout = own;
  });
  return (until) => {
    for (const { ms, task } of waiting) if (ms <= until) task();
  };
}

/** A browser with a service worker, as its pages see it. @returns the tags that were registered. */
function browser(register = async (): Promise<void> => {}): string[] {
  const tags: string[] = [];
  const sync = {
    register(tag: string) {
      tags.push(tag);
      return register();
    },
  };
  const before = Object.getOwnPropertyDescriptor(globalThis, 'registration');
  Object.defineProperty(globalThis, 'registration', { value: { sync }, configurable: true });
  ends.push(() => {
    if (before) Object.defineProperty(globalThis, 'registration', before);
    else Reflect.deleteProperty(globalThis, 'registration');
  });
  return tags;
}

describe('a service worker', () => {
  test('a service worker serves the listed routes, with their options, and leaves the rest to the browser', async () => {
    const here = worker({ routes: [{ match: '/orders', retry: 1 }] });
    here.origin.replies(status(503), ok('orders'));
    expect(await (await here.dispatch(requestOf(API)))?.text()).toBe('orders');
    expect(await here.dispatch(requestOf('https://api.example.com/other'))).toBeUndefined();
    expect(here.origin.seen).toHaveLength(2);
  });

  test.each([
    ['a navigation', { mode: 'navigate' as RequestMode }],
    ['an image', { destination: 'image' }],
    ['a script', { destination: 'script' }],
    ['an opaque request', { mode: 'no-cors' as RequestMode }],
    ['a range', { headers: { range: 'bytes=0-9' } }],
  ])('a service worker leaves %s to the browser', async (_, init) => {
    const here = worker({ routes: [{ match: '/orders' }] });
    expect(await here.dispatch(requestOf(API, init))).toBeUndefined();
  });

  test('a service worker without routes does not listen to requests', () => {
    expect([...worker().listeners.keys()]).toEqual(['sync']);
    expect([...worker({ outbox: undefined as never }).listeners.keys()]).toEqual([]);
  });

  test('a service worker queues no write without an option of its route', async () => {
    const here = worker({ routes: [{ match: '/orders' }], box: { match: '/orders' } });
    here.origin.replies(networkError());
    await expect(here.dispatch(requestOf(API, POST))).rejects.toThrow(TypeError);
    expect(await here.outbox.counts()).toMatchObject({ count: 0 });
  });

  test('a service worker queues a write if its route says so, and delivers it on a sync event', async () => {
    const here = worker({ routes: [{ match: '/orders', outbox: true }] });
    here.origin.replies(networkError());
    expect((await here.dispatch(requestOf(API, POST)))?.status).toBe(202);
    expect(await here.outbox.counts()).toMatchObject({ count: 1 });
    await here.syncs();
    expect(await here.outbox.counts()).toMatchObject({ count: 0 });
    expect(here.origin.seen.map(({ body }) => body)).toEqual(['order', 'order']);
  });

  test('a service worker leaves the sendings of an outbox to the browser, so that it never queues them again', async () => {
    const here = worker({ routes: [{ match: '/orders', outbox: true }] });
    const delivery = requestOf(API, { ...POST, headers: { 'idempotency-key': '"of an entry"' } });
    expect(await here.dispatch(delivery)).toBeUndefined();
    expect(() =>
      worker({ routes: [{ match: '/', outbox: true }], box: { idempotencyHeader: false } }),
    ).toThrow('serviceWorker.outbox');
  });

  test('a service worker repeats no sending of an outbox, whatever its route says', async () => {
    const here = worker({ routes: [{ match: '/orders', retry: 2 }] });
    here.origin.replies(status(502));
    const delivery = requestOf(API, { ...POST, headers: { 'idempotency-key': '"of an entry"' } });
    expect((await here.dispatch(delivery))?.status).toBe(502);
    expect(here.origin.seen).toHaveLength(1);
  });

  test('a service worker without an outbox repeats no sending of a page either', async () => {
    const host = testHost({ clock: virtualClock({ quiet }) });
    const origin = scriptedOrigin(host.clock);
    const fetch = createFetch({ fetch: origin.fetch, host });
    const here = worker({ fetch, outbox: undefined as never, routes: [{ match: '/orders', retry: 2 }] });
    origin.replies(status(502), ok());
    const delivery = requestOf(API, { ...POST, headers: { 'idempotency-key': '"of an entry"' } });
    expect((await here.dispatch(delivery))?.status).toBe(502);
    expect(origin.seen).toHaveLength(1);
    await fetch.close();
  });

  test('a service worker sends no delivery to another origin', async () => {
    const host = testHost({ clock: virtualClock({ quiet }) });
    const origin = scriptedOrigin(host.clock);
    origin.otherwise(networkError());
    const mirrored = failover({ origins: ['https://api.example.com', 'https://mirror.example.com'] });
    const fetch = createFetch({ fetch: origin.fetch, host, failover: mirrored });
    const here = worker({ fetch, routes: [{ match: '/orders' }] });
    const delivery = requestOf(API, { ...POST, headers: { 'idempotency-key': '"of an entry"' } });
    await expect(here.dispatch(delivery)).rejects.toThrow();
    expect(origin.seen).toHaveLength(1);
    await fetch.close();
  });

  test('a service worker passes a write that cannot be queued to the network', async () => {
    const here = worker({ routes: [{ match: '/orders', outbox: true }], box: { maxEntryBytes: 3 } });
    const signed = requestOf(API, { ...POST, headers: { authorization: 'Bearer secret' } });
    expect(await (await here.dispatch(signed))?.text()).toBe('from the network');
    const large = requestOf(API, POST);
    expect(await (await here.dispatch(large))?.text()).toBe('from the network');
    expect(await Promise.all(here.passed.map((request) => request.text()))).toEqual(['order', 'order']);
    expect(here.passed.map(({ headers }) => headers.get('authorization'))).toEqual(['Bearer secret', null]);
    expect(here.origin.seen).toHaveLength(0);
  });

  test('a service worker rejects a read if its route has an impossible option', async () => {
    const here = worker({ routes: [{ match: '/orders', timeout: '5 seconds' as never }] });
    await expect(here.dispatch(requestOf(API))).rejects.toThrow(/timeout\.attempt: '5 seconds'/);
    expect(here.passed).toEqual([]);
  });

  test('a service worker fails as the network does on its routes', async () => {
    const here = worker({ routes: [{ match: '/orders' }] });
    here.origin.replies(networkError());
    await expect(here.dispatch(requestOf(API))).rejects.toThrow(TypeError);
    expect(here.passed).toEqual([]);
  });

  test.skipIf(!canShareState)(
    'a service worker that is turned off serves and sends nothing, until it is turned on',
    async () => {
      const here = worker({ routes: [{ match: '/orders', outbox: true }] });
      here.origin.replies(networkError());
      await here.dispatch(requestOf(API, POST));
      const off = killSwitch(here.name);
      ends.push(off.close);
      await off.ready;
      await off.turnOff();
      await settle();
      expect(off.isOff).toBe(true);
      expect(await here.dispatch(requestOf(API))).toBeUndefined();
      await here.syncs();
      expect(await here.outbox.counts()).toMatchObject({ count: 1 });
      await off.turnOn();
      await settle();
      expect((await here.dispatch(requestOf(API)))?.status).toBe(200);
    },
  );

  test.skipIf(!canShareState)(
    'a service worker that is turned off sends nothing of its own accord, either, until it is turned on',
    async () => {
      const here = worker({ routes: [{ match: '/orders', outbox: true }], box: { pollInterval: '1m' } });
      here.host.connectivity.set(false);
      await here.dispatch(requestOf(API, POST));
      const off = killSwitch(here.name);
      ends.push(off.close);
      await off.turnOff();
      await settle();
      here.host.connectivity.set(true);
      await here.host.clock.advance(600_000);
      expect(here.origin.seen).toEqual([]);
      await off.turnOn();
      await settle();
      expect(await here.outbox.counts()).toMatchObject({ count: 0 });
    },
  );

  test.skipIf(!canShareState)(
    'a service worker that is turned off serves and sends nothing, though `ready` rejects',
    async () => {
      const name = `worker ${crypto.randomUUID()}`;
      const off = killSwitch(name);
      ends.push(off.close);
      await off.turnOff();
      const ready = Promise.reject(new TypeError('Failed to fetch'));
      const here = worker({ routes: [{ match: '/orders' }], name, ready });
      expect(await (await here.dispatch(requestOf(API)))?.text()).toBe('from the network');
      await here.syncs();
      expect(here.origin.seen).toEqual([]);
    },
  );

  test('a service worker serves a page, though `ready` does not settle', async () => {
    const lets = longTimers(10_000);
    const here = worker({ routes: [{ match: '/orders' }], ready: new Promise(() => {}) });
    here.origin.replies(ok('orders'));
    let response: Response | undefined;
    void here.dispatch(requestOf(API)).then((given) => {
      response = given;
    });
    // The worker reads the same, and began earlier.
    const off = killSwitch(here.name);
    ends.push(off.close);
    await off.ready;
    await settle();
    lets(10_000);
    await settle();
    expect(await response?.text()).toBe('orders');
  });

  test('an impossible option of a service worker throws an error', () => {
    expect(() => serviceWorker({} as never)).toThrow('serviceWorker.fetch');
    expect(() => worker({ routes: [{ retry: 1 } as never] })).toThrow('serviceWorker.routes.match');
    expect(() => worker({ scope: {} as never })).toThrow('serviceWorker.scope');
  });
});

describe('Background Sync', () => {
  test('Background Sync fails while entries wait, and registers itself again at its last chance', async () => {
    const here = worker({ routes: [{ match: '/orders', outbox: true }] });
    here.origin.otherwise(() => status(503));
    await here.dispatch(requestOf(API, POST));
    await expect(here.syncs()).rejects.toMatchObject({ name: 'StillWaitingError' });
    expect(here.registered).toEqual([]);
    await here.syncs('holdfast-outbox', true);
    expect(here.registered).toEqual(['holdfast-outbox']);
    here.origin.otherwise(() => ok());
    await here.syncs('holdfast-outbox', true);
    expect(here.registered).toHaveLength(1);
    expect(await here.outbox.counts()).toMatchObject({ count: 0 });
  });

  test('Background Sync ends a backoff, and no wait that an origin has asked for', async () => {
    const routes = [
      { match: '/orders', outbox: true },
      { match: '/notes', outbox: { lane: 'notes' } },
    ];
    const here = worker({ routes });
    here.origin.replies(status(503, { 'retry-after': '3600' }), networkError());
    await here.dispatch(requestOf(API, POST));
    await here.dispatch(requestOf('https://api.example.com/notes', { ...POST, body: 'note' }));
    await expect(here.syncs()).rejects.toThrow('1 writes still wait');
    expect(here.origin.seen.map(({ body }) => body)).toEqual(['order', 'note', 'note']);
  });

  test.each([
    ['the user is paused', {}],
    ['the lane is paused', { lane: 'https://api.example.com' }],
  ])('Background Sync is not registered again for entries that cannot be sent: %s', async (_, paused) => {
    const here = worker({ routes: [{ match: '/orders', outbox: true }] });
    here.origin.otherwise(() => status(503));
    await here.dispatch(requestOf(API, POST));
    await here.outbox.pause(paused);
    await here.syncs();
    expect(await here.outbox.counts()).toMatchObject({ waiting: 1 });
  });

  test('Background Sync registers itself at its last chance, even if `ready` rejects', async () => {
    const ready = Promise.reject(new TypeError('Failed to fetch'));
    ready.catch(() => {});
    const here = worker({ ready });
    await expect(here.syncs()).rejects.toThrow('Failed to fetch');
    expect(here.registered).toEqual([]);
    await expect(here.syncs('holdfast-outbox', true)).rejects.toThrow('Failed to fetch');
    expect(here.registered).toEqual(['holdfast-outbox']);
  });

  test.each([
    ['a large write is still being sent', {}],
    ['`ready` does not resolve', { ready: new Promise<void>(() => {}) }],
  ])('Background Sync ends before the browser ends it, though %s', async (_, options) => {
    const here = worker({ routes: [{ match: '/orders', outbox: true }] });
    const lets = longTimers();
    here.host.connectivity.set(false);
    // An upload over a slow line has no time limit.
    await here.dispatch(requestOf(API, { ...POST, body: 'x'.repeat(300_000) }));
    const sent = Promise.withResolvers<void>();
    here.origin.otherwise(() => {
      sent.resolve();
      return new Promise(() => {});
    });
    here.host.connectivity.set(true);
    await sent.promise;
    const events = 'ready' in options ? worker(options) : here;
    let how = 'goes on';
    const work = events.syncs('holdfast-outbox', false).catch(({ name }) => {
      how = name;
    });
    const last = events.syncs('holdfast-outbox', true);
    await settle();
    lets(160_000);
    await settle();
    expect(how).toBe('goes on');
    expect(events.registered).toEqual([]);
    lets(179_000);
    await Promise.all([work, last]);
    expect(how).toBe('StillWaitingError');
    expect(events.registered).toEqual(['holdfast-outbox']);
    expect(here.origin.seen).toHaveLength(1);
  });

  test('Background Sync starts no sending near its limit, and is registered again for the rest', async () => {
    const here = worker({ routes: [{ match: '/orders', outbox: true }] });
    const lets = longTimers();
    here.host.connectivity.set(false);
    for (const body of ['a', 'b']) await here.dispatch(requestOf(API, { ...POST, body }));
    const sent = Promise.withResolvers<void>();
    const response = Promise.withResolvers<Response>();
    here.origin.otherwise(() => {
      sent.resolve();
      // Time stands still during the sending.
      return here.host.clock.busy(response.promise);
    });
    here.host.connectivity.set(true);
    const work = here.syncs().then(String, ({ message }) => message);
    await sent.promise;
    await settle();
    lets(160_000);
    response.resolve(ok());
    expect(await work).toBe('1 writes still wait');
    expect(here.origin.seen.map(({ body }) => body)).toEqual(['a']);
  });

  test('a page registers Background Sync for each write that has to wait', async () => {
    const tags = browser();
    const here = page({ backgroundSync: true });
    here.host.connectivity.set(false);
    await give(here, 'a');
    await settle();
    expect(tags).toEqual(['holdfast-outbox']);
    // The browser wakes the worker at once; that sends it; then the tunnel begins.
    here.host.connectivity.set(true);
    await here.outbox.flush();
    await settle();
    const { length } = tags;
    here.host.connectivity.set(false);
    await give(here, 'b');
    await settle();
    expect(tags.length).toBeGreaterThan(length);
  });

  test('a page registers Background Sync for a write whose caller has left', async () => {
    const tags = browser();
    const here = page({ backgroundSync: true });
    const response = deferred<Response>(here);
    here.origin.replies(response.work);
    const leaving = new AbortController();
    const call = give(here, 'a', {}, { signal: leaving.signal }).catch(({ name }) => name);
    await settle();
    expect(tags).toEqual([]);
    leaving.abort();
    expect(await call).toBe('AbortError');
    await settle();
    expect(tags).toEqual(['holdfast-outbox']);
    response.resolve(ok());
  });

  test('a page with an element of the id "registration" registers Background Sync', async () => {
    const tags: string[] = [];
    const registration = { sync: { register: async (tag: string) => void tags.push(tag) } };
    const serviceWorker = { getRegistration: async () => registration };
    Object.defineProperty(navigator, 'serviceWorker', { value: serviceWorker, configurable: true });
    // As the named access on the Window object has it.
    Object.defineProperty(globalThis, 'registration', { value: { id: 'registration' }, configurable: true });
    ends.push(() => {
      Reflect.deleteProperty(navigator, 'serviceWorker');
      Reflect.deleteProperty(globalThis, 'registration');
    });
    const here = page({ backgroundSync: true });
    here.host.connectivity.set(false);
    await give(here, 'a');
    await settle();
    expect(tags).toEqual(['holdfast-outbox']);
  });

  test('a page that finds entries on loading without a network registers Background Sync', async () => {
    const tags = browser();
    const before = page();
    before.host.connectivity.set(false);
    await give(before, 'a');
    expect(tags).toEqual([]);
    await before.fetch.close();
    const here = page({ backgroundSync: true, pollInterval: '1h' }, before.store, before);
    await here.clock.advance(1_000);
    expect(tags.length).toBeGreaterThan(0);
  });

  test('many writes at once register Background Sync twice at the most', async () => {
    const letGo: (() => void)[] = [];
    const here = page({ backgroundSync: true });
    const tags = browser(() => here.clock.busy(new Promise<void>((resolve) => letGo.push(resolve))));
    here.host.connectivity.set(false);
    await Promise.all(Array.from({ length: 20 }, (_, nth) => give(here, `${nth}`)));
    await settle();
    expect(tags).toHaveLength(1);
    letGo[0]?.();
    await settle();
    expect(tags).toHaveLength(2);
    letGo[1]?.();
    await settle();
    expect(tags).toHaveLength(2);
  });

  test('the next write registers Background Sync again if the browser rejected or did not respond', async () => {
    let register = (): Promise<void> => Promise.reject(new DOMException('not now', 'NotAllowedError'));
    const tags = browser(() => register());
    const here = page({ backgroundSync: true });
    const asking = async (body: string): Promise<number> => {
      const { length } = tags;
      await give(here, body);
      await settle();
      return tags.length - length;
    };
    here.host.connectivity.set(false);
    expect(await asking('a')).toBeGreaterThan(0);
    register = () => new Promise(() => {});
    expect(await asking('b')).toBeGreaterThan(0);
    await here.clock.advance(20_000);
    expect(await asking('c')).toBeGreaterThan(0);
  });

  test('Background Sync ignores a foreign tag', async () => {
    const here = worker();
    expect(await here.syncs('workbox-background-sync:queue')).toBeUndefined();
  });

  test('Background Sync is not registered again for entries that are paused or of another user', async () => {
    let user: string | undefined = 'ann';
    const here = worker({
      routes: [{ match: '/orders', outbox: true }],
      user: () => {
        if (user === undefined) throw new Error('nobody is signed in');
        return user;
      },
    });
    here.origin.otherwise(() => status(503));
    await here.dispatch(requestOf(API, POST));
    await here.outbox.pause();
    await here.syncs();
    user = 'bob';
    await here.syncs();
    user = undefined;
    await here.syncs();
    expect(here.origin.seen).toHaveLength(1);
  });
});

describe.skipIf(!canShareState)('a shared session', () => {
  test('a session is shared by every page and worker, and survives a reload', async () => {
    const name = `session ${crypto.randomUUID()}`;
    const [page, sw] = [sharedSession(name), sharedSession(name)];
    ends.push(page.close, sw.close);
    await Promise.all([page.ready, sw.ready]);
    expect(sw.partition()).toBeUndefined();
    const seen: unknown[] = [];
    const end = sw.subscribe((partition) => seen.push(partition));
    await page.signIn('ann');
    while (sw.partition() === undefined) await macrotask();
    expect(sw.partition()).toBe('ann');
    if (typeof indexedDB === 'object') {
      const later = sharedSession(name);
      ends.push(later.close);
      await later.ready;
      expect(later.partition()).toBe('ann');
    }
    await page.signOut();
    while (sw.partition() !== undefined) await macrotask();
    end();
    await page.signIn('bob');
    while (sw.partition() === undefined) await macrotask();
    // Only changes, and nothing after its end.
    expect(seen).toEqual(['ann', undefined]);
    await expect(page.signIn('')).rejects.toThrow('partition');
  });

  test.skipIf(typeof indexedDB !== 'object')(
    'a session lets its database be deleted, and goes on',
    async () => {
      const name = `session ${crypto.randomUUID()}`;
      const page = sharedSession(name);
      ends.push(page.close);
      await page.signIn('ann');
      await new Promise((resolve, reject) => {
        const request = indexedDB.deleteDatabase(name);
        request.onsuccess = resolve;
        request.onerror = reject;
      });
      const later = sharedSession(name);
      ends.push(later.close);
      await later.ready;
      expect(later.partition()).toBeUndefined();
      await later.signIn('bob');
      expect(later.partition()).toBe('bob');
    },
  );
});

// The options of a route are those of a call.
({ match: '/', timeout: '5s', outbox: { lane: 'a' } }) satisfies FetchOptions & { match: string };
