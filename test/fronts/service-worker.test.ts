import { afterEach, describe, expect, test } from 'vitest';
import { createFetch } from '../../src/fronts/fetch.ts';
import type { FetchOptions } from '../../src/fronts/standard.ts';
import { killSwitch } from '../../src/fronts/worker/kill-switch.ts';
import { type ServiceWorkerOptions, serviceWorker } from '../../src/fronts/worker/serve.ts';
import { sharedSession } from '../../src/fronts/worker/session.ts';
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
} from '../../src/testing/index.ts';
import { durableStore } from '../support/durable.ts';
import { settle } from '../support/outbox-page.ts';
import { quiet } from '../support/platform.ts';

const API = 'https://api.example.com/orders';

const ends: (() => unknown)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0)) await end();
});

/** A worker with its events; `passed` is what went to the network as if there were none. */
function worker(options: Partial<ServiceWorkerOptions> & { box?: OutboxOptions; user?: () => string } = {}) {
  const { box = {}, user = () => 'ann', ...rest } = options;
  const host = testHost({ clock: virtualClock({ quiet }) });
  const origin = scriptedOrigin(host.clock);
  const outbox = outboxPolicy({ store: durableStore(), every: '1h', ...box }, memoryStore);
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
    /** What the worker answers; `undefined` where it leaves the request to the browser. */
    async asks(request: Request): Promise<Response | undefined> {
      let answer: Promise<Response> | undefined;
      const respondWith = (response: Promise<Response>): void => {
        answer = response;
      };
      listeners.get('fetch')?.({ request, respondWith, waitUntil() {} } as never);
      return answer;
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
const asked = (url: string, init: RequestInit & { destination?: string } = {}): Request => {
  const { destination = '', mode = 'cors', ...rest } = init;
  const request = new Request(url, rest);
  return Object.defineProperties(request, { destination: { value: destination }, mode: { value: mode } });
};

/** Elsewhere are no service workers. */
const canTell = typeof indexedDB === 'object';

const POST = { method: 'POST', body: 'order' };

describe('a service worker', () => {
  test('answers the routes that are listed, with their options, and leaves the rest to the browser', async () => {
    const here = worker({ routes: [{ match: '/orders', retry: 1 }] });
    here.origin.replies(status(503), ok('orders'));
    expect(await (await here.asks(asked(API)))?.text()).toBe('orders');
    expect(await here.asks(asked('https://api.example.com/other'))).toBeUndefined();
    expect(here.origin.seen).toHaveLength(2);
  });

  test.each([
    ['a navigation', { mode: 'navigate' as RequestMode }],
    ['an image', { destination: 'image' }],
    ['a script', { destination: 'script' }],
    ['what hides its answer', { mode: 'no-cors' as RequestMode }],
    ['a range', { headers: { range: 'bytes=0-9' } }],
  ])('leaves %s to the browser', async (_, init) => {
    const here = worker({ routes: [{ match: '/orders' }] });
    expect(await here.asks(asked(API, init))).toBeUndefined();
  });

  test('does not listen to requests where no routes are listed', () => {
    expect([...worker().listeners.keys()]).toEqual(['sync']);
    expect([...worker({ outbox: undefined as never }).listeners.keys()]).toEqual([]);
  });

  test('keeps no write for a page that did not ask', async () => {
    const here = worker({ routes: [{ match: '/orders' }], box: { match: '/orders' } });
    here.origin.replies(networkError());
    await expect(here.asks(asked(API, POST))).rejects.toThrow(TypeError);
    expect(await here.outbox.counts()).toMatchObject({ count: 0 });
  });

  test('keeps a write where its route says so, and delivers it when it is woken', async () => {
    const here = worker({ routes: [{ match: '/orders', outbox: true }] });
    here.origin.replies(networkError());
    expect((await here.asks(asked(API, POST)))?.status).toBe(202);
    expect(await here.outbox.counts()).toMatchObject({ count: 1 });
    await here.syncs();
    expect(await here.outbox.counts()).toMatchObject({ count: 0 });
    expect(here.origin.seen.map(({ body }) => body)).toEqual(['order', 'order']);
  });

  test('leaves to the browser what an outbox delivers, or it would keep it for ever', async () => {
    const here = worker({ routes: [{ match: '/orders', outbox: true }] });
    const delivery = asked(API, { ...POST, headers: { 'idempotency-key': '"of an entry"' } });
    expect(await here.asks(delivery)).toBeUndefined();
    expect(() =>
      worker({ routes: [{ match: '/', outbox: true }], box: { idempotencyHeader: false } }),
    ).toThrow('serviceWorker.outbox');
  });

  test('gives answers whose end is known, though the browser reads them past us', async () => {
    const here = worker({ routes: [{ match: '/orders' }] });
    here.origin.replies(
      new Response('created', { status: 201, statusText: 'Made', headers: { etag: '"1"' } }),
    );
    const answer = await here.asks(asked(API));
    expect(Object.getPrototypeOf(answer)).toBe(Response.prototype);
    expect([answer?.status, answer?.statusText, answer?.headers.get('etag')]).toEqual([201, 'Made', '"1"']);
    expect(await answer?.text()).toBe('created');
    here.origin.replies(new Response(null, { status: 204 }));
    expect((await here.asks(asked(API)))?.status).toBe(204);
  });

  test('sends what cannot be kept as if there were no worker', async () => {
    const here = worker({ routes: [{ match: '/orders', outbox: true }], box: { maxEntryBytes: 3 } });
    const signed = asked(API, { ...POST, headers: { authorization: 'Bearer secret' } });
    expect(await (await here.asks(signed))?.text()).toBe('from the network');
    const large = asked(API, POST);
    expect(await (await here.asks(large))?.text()).toBe('from the network');
    expect(await Promise.all(here.passed.map((request) => request.text()))).toEqual(['order', 'order']);
    expect(here.passed.map(({ headers }) => headers.get('authorization'))).toEqual(['Bearer secret', null]);
    expect(here.origin.seen).toHaveLength(0);
  });

  test('fails as the network does, where it was asked', async () => {
    const here = worker({ routes: [{ match: '/orders' }] });
    here.origin.replies(networkError());
    await expect(here.asks(asked(API))).rejects.toThrow(TypeError);
    expect(here.passed).toEqual([]);
  });

  test.skipIf(!canTell)(
    'that is turned off answers nothing and drains nothing, until it is turned on',
    async () => {
      const here = worker({ routes: [{ match: '/orders', outbox: true }] });
      here.origin.replies(networkError());
      await here.asks(asked(API, POST));
      const off = killSwitch(here.name);
      ends.push(off.close);
      await off.ready;
      await off.turnOff();
      await settle();
      expect(off.isOff).toBe(true);
      expect(await here.asks(asked(API))).toBeUndefined();
      await here.syncs();
      expect(await here.outbox.counts()).toMatchObject({ count: 1 });
      await off.turnOn();
      await settle();
      expect((await here.asks(asked(API)))?.status).toBe(200);
    },
  );

  test('and its options have to be such as can be meant', () => {
    expect(() => serviceWorker({} as never)).toThrow('serviceWorker.fetch');
    expect(() => worker({ routes: [{ retry: 1 } as never] })).toThrow('serviceWorker.routes.match');
    expect(() => worker({ scope: {} as never })).toThrow('serviceWorker.scope');
  });
});

describe('Background Sync', () => {
  test('is asked again for what still waits, and asks for itself at its last chance', async () => {
    const here = worker({ routes: [{ match: '/orders', outbox: true }] });
    here.origin.otherwise(() => status(503));
    await here.asks(asked(API, POST));
    await expect(here.syncs()).rejects.toMatchObject({ name: 'StillWaitingError' });
    expect(here.registered).toEqual([]);
    await here.syncs('holdfast-outbox', true);
    expect(here.registered).toEqual(['holdfast-outbox']);
    here.origin.otherwise(() => ok());
    await here.syncs('holdfast-outbox', true);
    expect(here.registered).toHaveLength(1);
    expect(await here.outbox.counts()).toMatchObject({ count: 0 });
  });

  test('of somebody else’s tag is theirs', async () => {
    const here = worker();
    expect(await here.syncs('workbox-background-sync:queue')).toBeUndefined();
  });

  test('is not asked again for what is paused, or somebody else’s', async () => {
    let user: string | undefined = 'ann';
    const here = worker({
      routes: [{ match: '/orders', outbox: true }],
      user: () => {
        if (user === undefined) throw new Error('nobody is signed in');
        return user;
      },
    });
    here.origin.otherwise(() => status(503));
    await here.asks(asked(API, POST));
    await here.outbox.pause();
    await here.syncs();
    user = 'bob';
    await here.syncs();
    user = undefined;
    await here.syncs();
    expect(here.origin.seen).toHaveLength(1);
  });
});

describe.skipIf(!canTell)('a session that is shared', () => {
  test('is known in every page and worker, and after a reload', async () => {
    const name = `session ${crypto.randomUUID()}`;
    const [page, sw] = [sharedSession(name), sharedSession(name)];
    ends.push(page.close, sw.close);
    await Promise.all([page.ready, sw.ready]);
    expect(() => sw.partition()).toThrow('nobody is signed in');
    await page.signIn('ann');
    while (!isSomebody(sw)) await macrotask();
    expect(sw.partition()).toBe('ann');
    if (typeof indexedDB === 'object') {
      const later = sharedSession(name);
      ends.push(later.close);
      await later.ready;
      expect(later.partition()).toBe('ann');
    }
    await page.signOut();
    while (isSomebody(sw)) await macrotask();
    await expect(page.signIn('')).rejects.toThrow('partition');
  });
});

function isSomebody({ partition }: { partition: () => string }): boolean {
  try {
    return partition() !== '';
  } catch {
    return false;
  }
}

// The options of a route are those of a call.
({ match: '/', timeout: '5s', outbox: { lane: 'a' } }) satisfies FetchOptions & { match: string };
