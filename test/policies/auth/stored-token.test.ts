/** A bearer token in a store: after a reload without a network, and in a service worker. */
import { afterEach, describe, expect, test } from 'vitest';
import { auth } from '../../../src/policies/auth/auth.ts';
import { AuthError } from '../../../src/policies/auth/error.ts';
import { encryptWith } from '../../../src/stores/encryption.ts';
import { memoryStore } from '../../../src/stores/memory.ts';
import { status } from '../../../src/testing.ts';
import { statusOf } from '../../support/calls.ts';
import { durableStore, type FaultyStore } from '../../support/durable.ts';
import { settle } from '../../support/outbox-page.ts';
import { ORIGIN, type Scenario, scenario } from '../../support/scenario.ts';

const key = crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
const encryption = encryptWith(() => key as Promise<CryptoKey>);

const opened: Scenario[] = [];
afterEach(async () => {
  for (const { fetch } of opened.splice(0)) await fetch.close();
});

type Token = (context: { partition: string; refused?: string }) => string | undefined | Promise<string>;

/** A page with a token function; a service worker without. */
function open(store: FaultyStore, token?: Token, user: () => string | undefined = () => 'ann') {
  const scene = scenario([
    auth({ scheme: 'bearer', origins: [ORIGIN], user, store, encryption, ...(token && { token }) }),
  ]);
  opened.push(scene);
  return {
    ...scene,
    sent: () => scene.origin.seen.map(({ headers }) => headers.get('authorization')),
    get: () => statusOf(scene.fetch(ORIGIN)),
  };
}

describe('a stored bearer token', () => {
  test('a stored token serves a worker that has no token function', async () => {
    const store = durableStore();
    await open(store, () => 'token-1').get();
    await settle();
    const worker = open(store);
    expect(await worker.get()).toBe(200);
    expect(worker.sent()).toEqual(['Bearer token-1']);
  });

  test('a stored token serves a page whose token function has none yet', async () => {
    const store = durableStore();
    await open(store, () => 'token-1').get();
    await settle();
    const page = open(store, () => undefined);
    expect(await page.get()).toBe(200);
    expect(page.sent()).toEqual(['Bearer token-1']);
  });

  test('without a token in the function and in the store a call fails with no-token', async () => {
    expect(await open(durableStore(), () => undefined).get()).toBe('no-token');
    expect(await open(durableStore()).get()).toBe('no-token');
  });

  test('a stored token follows the function: a new token replaces it, and the same is written once', async () => {
    const store = durableStore();
    let token = 'token-1';
    let writes = 0;
    const { write } = store;
    (store as { write: FaultyStore['write'] }).write = (changes) => {
      writes++;
      return write(changes);
    };
    const page = open(store, () => token);
    await page.get();
    await page.get();
    await settle();
    expect(writes).toBe(1);
    token = 'token-2';
    await page.get();
    await settle();
    const worker = open(store);
    await worker.get();
    expect(worker.sent()).toEqual(['Bearer token-2']);
  });

  test('the function of a page renews the stored token after a 401', async () => {
    const store = durableStore();
    const page = open(store, ({ refused }) => (refused ? 'token-2' : 'token-1'));
    page.origin.otherwise(({ headers }) =>
      headers.get('authorization') === 'Bearer token-2' ? status(200) : status(401),
    );
    expect(await page.get()).toBe(200);
    await settle();
    const worker = open(store);
    await worker.get();
    expect(worker.sent()).toEqual(['Bearer token-2']);
  });

  test('a refused stored token leaves the 401 to a worker, which has no other', async () => {
    const store = durableStore();
    await open(store, () => 'token-1').get();
    await settle();
    const worker = open(store);
    worker.origin.otherwise(() => status(401));
    expect(await worker.get()).toBe(401);
    expect(worker.sent()).toEqual(['Bearer token-1']);
  });

  test('a stored token is encrypted, and belongs to one user', async () => {
    const store = durableStore();
    await open(store, () => 'token-1').get();
    await settle();
    const [item] = await store.range({});
    const bytes = new TextDecoder('latin1').decode(item?.value as Uint8Array);
    expect(`${item?.key} ${bytes}`).not.toMatch(/ann|token-1/);
    expect(await open(store, undefined, () => 'bob').get()).toBe('no-token');
    expect(await open(store, undefined, () => undefined).get()).toBe('signed-out');
  });

  test('signOut deletes the stored token', async () => {
    const store = durableStore();
    const page = open(store, () => 'token-1');
    await page.get();
    await page.fetch.signOut();
    expect(await store.range({})).toEqual([]);
    expect(await open(store).get()).toBe('no-token');
  });

  test('a call that was under way at the sign-out does not store its token', async () => {
    const store = durableStore();
    let give = (_token: string): void => {};
    const given = new Promise<string>((resolve) => {
      give = resolve;
    });
    const page = open(store, () => given);
    const call = page.get();
    await settle();
    await page.fetch.signOut();
    give('token-1');
    await call;
    await settle();
    expect(await store.range({})).toEqual([]);
  });

  test('the next sign-in stores a token again', async () => {
    const store = durableStore();
    const page = open(store, () => 'token-1');
    await page.get();
    await page.fetch.signOut();
    await page.get();
    await settle();
    expect(await store.range({})).toHaveLength(1);
  });

  test('a store that hangs or fails does not delay a call that has a token', async () => {
    for (const fault of ['hang', 'fail'] as const) {
      const store = durableStore();
      store.break(fault);
      const page = open(store, () => 'token-1');
      expect(await page.get()).toBe(200);
      store.heal();
    }
  });

  test('a stored token that cannot be read is a transient error', async () => {
    const store = durableStore();
    await open(store, () => 'token-1').get();
    await settle();
    const worker = open(store);
    store.break('fail');
    const error: unknown = await worker.fetch(ORIGIN).catch((error) => error);
    expect(error).toBeInstanceOf(AuthError);
    expect((error as AuthError).code).toBe('refresh-failed');
    expect((error as AuthError).transient).toBe(true);
    expect(worker.emitted('store-failed')).toMatchObject([{ store: 'durable', operation: 'read' }]);
    store.heal();
    expect(await worker.get()).toBe(200);
  });
});

describe('the options of a stored bearer token', () => {
  const bearer = (more: object) => () =>
    auth({ scheme: 'bearer', origins: [ORIGIN], user: () => 'ann', ...more } as never);

  test.each<[string, object, RegExp]>([
    ['neither a token nor a store', {}, /auth\.token/],
    ['a durable store without encryption', { store: durableStore() }, /auth\.encryption/],
    ['a fixed token with a store', { store: memoryStore(), token: 'secret-1' }, /auth\.token/],
    ['encryption without a store', { token: () => 'x', encryption }, /auth\.encryption/],
  ])('auth rejects %s', (_, more, message) => {
    expect(bearer(more)).toThrow(message);
    expect(bearer(more)).not.toThrow(/secret-1/);
  });

  test('a stored token needs a partition', () => {
    const policy = auth({ scheme: 'bearer', origins: [ORIGIN], store: memoryStore() });
    expect(() => scenario([policy])).toThrow(/'auth' needs it/);
  });
});
