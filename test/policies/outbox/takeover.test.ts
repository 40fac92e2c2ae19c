/**
 * A module that a development server reloads makes its client anew, beside the one that components
 * still have.
 */
import { describe, expect, test } from 'vitest';
import { systemHost } from '../../../src/core/host.ts';
import { pipeline } from '../../../src/core/pipeline.ts';
import { auth, createClient, memoryStore, outbox } from '../../../src/index.ts';
import { outboxPolicy } from '../../../src/policies/outbox/outbox.ts';
import { withLocalLock } from '../../../src/primitives/locks.ts';
import { networkError, ok, status } from '../../../src/testing.ts';
import { deferred } from '../../support/deferred.ts';
import { durableStore } from '../../support/durable.ts';
import { closeAfterTest, idOf, POST, page, settle, URL_ } from '../../support/outbox-page.ts';

const write = (body: string) => ({ ...POST, body });

/** Two pages of one realm: a newer outbox beside the older one. */
function reloadedModule() {
  const older = page();
  return { older, renew: () => page({}, older.store, older) };
}

// Where I/O belongs to one request, no module is reloaded beside another.
describe.skipIf(!systemHost.canShareIO)('a newer outbox of the same name, store and target', () => {
  test('a newer outbox sends the entries of the older one, once', async () => {
    const { older, renew } = reloadedModule();
    older.host.connectivity.set(false);
    await older.fetch(URL_, write('one'));
    const newer = renew();
    older.host.connectivity.set(true);
    await settle();
    await older.clock.advance(60_000);
    expect(older.origin.seen.map(({ body }) => body)).toEqual(['one']);
    expect(await newer.outbox.counts()).toMatchObject({ waiting: 0 });
  });

  test('a newer outbox sends the entries that the older one accepts later, in order', async () => {
    const { older, renew } = reloadedModule();
    const newer = renew();
    const responses = [];
    for (const body of ['one', 'two']) responses.push(await older.fetch(URL_, write(body)));
    responses.push(await newer.fetch(URL_, write('three')));
    await older.clock.advance(60_000);
    expect(older.origin.seen.map(({ body }) => body)).toEqual(['one', 'two', 'three']);
  });

  test('a newer outbox sends what the older one replays', async () => {
    const { older, renew } = reloadedModule();
    older.origin.replies(status(422));
    const response = await older.fetch(URL_, { ...write('one'), holdfast: { outbox: { id: 'a' } } });
    expect(response.status).toBe(422);
    renew();
    await older.clock.advance(1_000);
    expect(await older.outbox.replay('a')).toBe(true);
    await settle();
    await older.clock.advance(1_000);
    expect(older.origin.seen.map(({ body }) => body)).toEqual(['one', 'one']);
  });

  test('an older outbox sends nothing, whatever the application retires, until the newer one and the application allow it', async () => {
    const { older, renew } = reloadedModule();
    older.host.connectivity.set(false);
    await older.fetch(URL_, write('one'));
    const newer = renew();
    newer.outbox.retire(true);
    older.host.connectivity.set(true);
    older.outbox.retire(true);
    older.outbox.retire(false);
    await older.clock.advance(60_000);
    expect(older.origin.seen).toEqual([]);
    older.outbox.retire(true);
    await newer.fetch.close();
    await older.clock.advance(60_000);
    expect(older.origin.seen).toEqual([]);
    older.outbox.retire(false);
    await settle();
    expect(older.origin.seen.map(({ body }) => body)).toEqual(['one']);
    expect(() => older.outbox.retire(undefined as never)).toThrow(/retire: undefined .*boolean/);
  });

  test('a newer outbox gives the older one its results and its events', async () => {
    const { older, renew } = reloadedModule();
    older.host.connectivity.set(false);
    const id = await idOf(await older.fetch(URL_, write('one')));
    const events: string[] = [];
    older.outbox.subscribe(({ type }) => events.push(type));
    const result = older.outbox.result(id);
    renew();
    older.origin.replies(ok('delivered'));
    older.host.connectivity.set(true);
    await settle();
    await older.clock.advance(60_000);
    expect(await (await result).text()).toBe('delivered');
    expect(events).toContain('finished');
  });

  test('a newer outbox waits for the attempt that the older one has under way', async () => {
    const { older, renew } = reloadedModule();
    const response = deferred<Response>(older);
    older.origin.replies(response.work);
    const first = older.fetch(URL_, write('one'));
    await settle();
    const newer = renew();
    const second = newer.fetch(URL_, write('two'));
    await settle();
    expect(older.origin.seen.map(({ body }) => body)).toEqual(['one']);
    response.resolve(ok());
    await first;
    await settle();
    await older.clock.advance(60_000);
    await second;
    expect(older.origin.seen.map(({ body }) => body)).toEqual(['one', 'two']);
  });

  test('a newer outbox goes on when the older one is closed', async () => {
    const { older, renew } = reloadedModule();
    const newer = renew();
    await older.fetch.close();
    older.origin.replies(networkError());
    await newer.fetch(URL_, write('one'));
    await older.clock.advance(60_000);
    expect(older.origin.seen.map(({ body }) => body)).toEqual(['one', 'one']);
    expect(() => page({}, { ...durableStore(), name: 'another' })).toThrow('both called');
  });
});

describe.skipIf(!systemHost.canShareIO)('an older outbox whose name was taken over', () => {
  test('an older outbox sends again when the newer one is closed, also entries from the time between', async () => {
    const { older, renew } = reloadedModule();
    const newer = renew();
    older.host.connectivity.set(false);
    await older.fetch(URL_, write('one'));
    await newer.fetch.close();
    older.host.connectivity.set(true);
    await older.fetch(URL_, write('two'));
    await older.clock.advance(60_000);
    expect(older.origin.seen.map(({ body }) => body)).toEqual(['one', 'two']);
  });

  test('an older outbox sends again if the construction of the newer client threw', async () => {
    const { older } = reloadedModule();
    const broken = (): never => {
      throw new Error('a policy that cannot be made');
    };
    const again = () =>
      pipeline([broken, outboxPolicy({ store: older.store }, () => older.store)], {
        partition: () => 'ann',
        host: older.host,
        fetch: older.origin.fetch,
      });
    expect(again).toThrow('a policy that cannot be made');
    await older.fetch(URL_, write('one'));
    expect(older.origin.seen.map(({ body }) => body)).toEqual(['one']);
  });

  test('the newest open outbox of three sends', async () => {
    const { older, renew } = reloadedModule();
    const second = renew();
    const third = renew();
    await second.fetch.close();
    await older.fetch(URL_, write('one'));
    await third.fetch.close();
    await older.fetch(URL_, write('two'));
    await older.clock.advance(60_000);
    expect(older.origin.seen.map(({ body }) => body)).toEqual(['one', 'two']);
  });
});

test.skipIf(!systemHost.canShareIO)(
  'two clients of one name over two databases are a ConfigurationError',
  () => {
    const file = () => ({ ...durableStore(), withinOrigin: false });
    page({}, file());
    expect(() => page({}, file())).toThrow('both called');
  },
);

test.skipIf(!systemHost.canShareIO)(
  'two clients of one name with different base URLs are a configuration error',
  async () => {
    const store = durableStore();
    const client = (baseUrl: string) =>
      createClient({ name: 'shop', baseUrl, partition: 'ann', outbox: outbox({ store }) });
    const first = client('https://one.example/');
    expect(() => client('https://two.example/')).toThrow("two clients with an outbox are both called 'shop'");
    const second = client('https://one.example/');
    await second.close();
    await first.close();
  },
);

describe.skipIf(!systemHost.canShareIO)('two outboxes of one name', () => {
  const origins = ['https://api.example.com'];
  const client = (store: ReturnType<typeof durableStore>, partition: string, token?: string) => {
    const policies = token ? [auth({ scheme: 'bearer', origins, token })] : [];
    const fetch = pipeline([outboxPolicy({ store }, memoryStore), ...policies], { partition });
    closeAfterTest(fetch);
    return fetch;
  };

  test('two outboxes of one name with constant partitions of two users are a ConfigurationError', () => {
    const store = durableStore();
    client(store, 'ann');
    expect(() => client(store, 'bob')).toThrow('both called');
  });

  test('two outboxes of one name are a ConfigurationError if one of them sends with credentials and the other does not', () => {
    const store = durableStore();
    client(store, 'ann');
    expect(() => client(store, 'ann', 'token')).toThrow('both called');
  });

  test('two outboxes of one name over a store in memory, which a reload does not find, are a ConfigurationError', () => {
    const store = memoryStore();
    client(store as never, 'ann');
    expect(() => client(store as never, 'ann')).toThrow('both called');
  });

  test('two outboxes of one name over stores that share a lock in memory are a ConfigurationError', () => {
    const lock = withLocalLock({});
    client({ ...durableStore(), withinOrigin: false, lock }, 'ann');
    expect(() => client({ ...durableStore(), withinOrigin: false, lock }, 'ann')).toThrow('both called');
  });

  test('two outboxes of one name over two objects are no error, since each object has its own database', () => {
    client({ ...durableStore(), lock: withLocalLock({}), scope: {} }, 'ann');
    client({ ...durableStore(), lock: withLocalLock({}), scope: {} }, 'bob');
  });
});
