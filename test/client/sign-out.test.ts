import { describe, expect, test } from 'vitest';
import {
  auth,
  createClient,
  createFetch,
  memoryStore,
  outbox,
  type StaleCache,
  staleCache,
} from '../../src/index.ts';
import { macrotask, ok, scriptedOrigin, switchedConnectivity, virtualClock } from '../../src/testing.ts';

const ORIGIN = 'https://api.example';
const URL_ = `${ORIGIN}/orders`;

/** An application with data of ann and bob; each has a queued write and a cached response. */
let applications = 0;

/** A response is stored a moment after its last byte. */
async function stored(cache: StaleCache, partition: string): Promise<void> {
  while ((await cache.entries({ partition })).length === 0) await macrotask();
}

async function application() {
  let user: string | undefined = 'ann';
  const origin = scriptedOrigin(virtualClock());
  const online = switchedConnectivity();
  const box = outbox({ store: memoryStore() });
  const cache = staleCache({ store: memoryStore() });
  const client = createClient({
    name: `application ${++applications}`,
    baseUrl: ORIGIN,
    fetch: origin.fetch,
    host: { connectivity: online },
    partition: () => user,
    outbox: box,
    staleCache: cache,
  });
  for (const each of ['bob', 'ann']) {
    user = each;
    online.set(true);
    origin.replies(ok(each, { headers: { 'cache-control': 'max-age=60' } }));
    await client.get('orders').text();
    await stored(cache, each);
    online.set(false);
    await client.post('orders', { body: each, outbox: true, retry: 0 });
  }
  return {
    client,
    box,
    cache,
    signedIn: (name: string | undefined) => {
      user = name;
    },
  };
}

describe('signOut', () => {
  test('signOut removes the cached responses and the writes of the current user, and of no other', async () => {
    const { client, box, cache, signedIn } = await application();
    expect(await client.signOut({ undelivered: 'remove' })).toEqual({ undelivered: 1, cached: 1 });
    expect([await box.entries(), await cache.entries({ partition: 'ann' })]).toEqual([[], []]);
    signedIn('bob');
    expect([await box.entries(), await cache.entries({ partition: 'bob' })]).toEqual([
      [expect.objectContaining({ state: 'waiting' })],
      [expect.objectContaining({ url: URL_ })],
    ]);
    await client.close();
  });

  test('signOut keeps the writes of a user if the option says so', async () => {
    const { client, box, cache } = await application();
    expect(await client.signOut({ undelivered: 'keep' })).toEqual({ undelivered: 1, cached: 1 });
    expect(await box.counts()).toMatchObject({ waiting: 1 });
    expect(await cache.entries({ partition: 'ann' })).toEqual([]);
    await client.close();
  });

  test('signOut deletes the responses to delivered writes', async () => {
    const store = memoryStore();
    let sent = 0;
    const client = createFetch({
      name: 'responses',
      partition: 'ann',
      outbox: outbox({ store }),
      fetch: async () => {
        sent++;
        return new Response('the balance of ann', { headers: { 'x-balance': '12,345' } });
      },
    });
    await client(URL_, { method: 'POST', holdfast: { outbox: { id: 'one' } } });
    for (let turn = 0; (await store.range({ prefix: 'result ' })).length === 0; turn++)
      expect(turn).toBeLessThan(1_000);
    expect(await client.signOut({ undelivered: 'keep' })).toEqual({ undelivered: 0, cached: 0 });
    const items = await store.range({});
    const bodies = await Promise.all(items.map(({ key }) => store.body(key)));
    expect(bodies.filter((body) => body !== undefined)).toEqual([]);
    expect(JSON.stringify(items)).not.toMatch(/balance|12,345/);
    // The outbox still knows the id of the same write, and does not send it again.
    await client(URL_, { method: 'POST', holdfast: { outbox: { id: 'one' } } });
    expect(sent).toBe(1);
    await client.close();
  });

  test('signOut requires the `undelivered` option before it does anything', async () => {
    const { client, cache } = await application();
    await expect(client.signOut()).rejects.toThrow('signOut.undelivered');
    await expect(client.signOut({ undelivered: 'drop' as 'keep' })).rejects.toThrow(
      "signOut.undelivered: 'drop' is not allowed",
    );
    expect(await cache.entries({ partition: 'ann' })).toHaveLength(1);
    await client.close();
  });

  test('signOut does nothing if no user is signed in, or nothing is stored', async () => {
    const { client, signedIn } = await application();
    signedIn(undefined);
    expect(await client.signOut({ undelivered: 'remove' })).toEqual({ undelivered: 0, cached: 0 });
    await client.close();
    const bare = createFetch();
    expect(await bare.signOut()).toEqual({ undelivered: 0, cached: 0 });
    await bare.close();
  });

  test('signOut clears every store, and rejects if one failed', async () => {
    const store = memoryStore();
    const cache = staleCache({ store: memoryStore() });
    const broken = outbox({
      store: { ...store, range: () => Promise.reject(new Error('the disk is gone')) },
    });
    const fetch = createFetch({
      partition: 'ann',
      outbox: broken,
      staleCache: cache,
      fetch: async () => ok('one'),
    });
    await (await fetch(URL_)).text();
    await stored(cache, 'ann');
    await expect(fetch.signOut({ undelivered: 'remove' })).rejects.toThrow('the disk is gone');
    expect(await cache.entries()).toEqual([]);
    await fetch.close();
  });

  test('signOut forgets the token that replaced a rejected one', async () => {
    const origin = scriptedOrigin(virtualClock());
    let given: string[] = [];
    const token = auth({
      scheme: 'bearer',
      origins: [ORIGIN],
      user: () => 'ann',
      token: () => given.shift(),
    });
    const fetch = createFetch({ auth: token, fetch: origin.fetch });
    const sent = () => origin.seen.map(({ headers }) => headers.get('authorization'));
    origin.replies(new Response('', { status: 401 }), ok());
    given = ['old', 'old', 'old', 'new'];
    await fetch(URL_);
    expect(sent()).toEqual(['Bearer old', 'Bearer new']);
    await fetch.signOut();
    origin.replies(new Response('', { status: 401 }), ok());
    given = ['old', 'old', 'old', 'newer'];
    await fetch(URL_);
    expect(sent().slice(2)).toEqual(['Bearer old', 'Bearer newer']);
    await fetch.close();
  });

  test('signOut deletes the tokens of the user, last', async () => {
    const origin = scriptedOrigin(virtualClock());
    const tokens = auth({
      scheme: 'oauth2',
      origins: [ORIGIN],
      tokenEndpoint: `${ORIGIN}/token`,
      clientId: 'app',
      grant: 'refresh_token',
      user: () => 'ann',
      store: memoryStore(),
    });
    const fetch = createFetch({ auth: tokens, fetch: origin.fetch });
    await tokens.signIn({ access_token: 'secret', token_type: 'Bearer', expires_in: 60 });
    origin.replies(ok());
    await fetch(URL_);
    await fetch.signOut();
    await expect(fetch(URL_)).rejects.toMatchObject({ category: 'auth' });
    await fetch.close();
  });
});

test('a store that fails is a StorageError, and the other policies still sign out', async () => {
  const { write, ...store } = memoryStore();
  const box = outbox({
    store: {
      ...store,
      write: () => Promise.reject(new Error('gone')),
      change: () => Promise.reject(new Error('gone')),
    },
  });
  const cache = staleCache({ store: memoryStore() });
  const client = createClient({
    name: 'failing store',
    baseUrl: ORIGIN,
    partition: 'ann',
    outbox: box,
    staleCache: cache,
    fetch: async () => new Response('orders', { headers: { 'cache-control': 'max-age=60' } }),
  });
  await client.get('orders').text();
  await stored(cache, 'ann');
  const error: unknown = await client.signOut({ undelivered: 'remove' }).catch((thrown) => thrown);
  expect(error).toMatchObject({ name: 'StorageError' });
  expect(await cache.entries()).toEqual([]);
  await client.close();
});
