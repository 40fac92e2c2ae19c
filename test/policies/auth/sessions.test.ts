import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { StorageError } from '../../../src/core/errors.ts';
import type { PipelineOptions } from '../../../src/core/pipeline.ts';
import type { Cipher } from '../../../src/core/store.ts';
import { type Auth, auth } from '../../../src/policies/auth/auth.ts';
import type { AuthEvent, SignIn } from '../../../src/policies/auth/options.ts';
import { ConfigurationError } from '../../../src/primitives/failure.ts';
import { encryptWith } from '../../../src/stores/encryption.ts';
import { memoryStore } from '../../../src/stores/memory.ts';
import { slow, status } from '../../../src/testing.ts';
import { durableStore, type FaultyStore } from '../../support/durable.ts';
import { craft, FakeChannel, garbage, replaceChannel } from '../../support/fake-channel.ts';
import { settle } from '../../support/outbox-page.ts';
import { type Scenario, scenario } from '../../support/scenario.ts';
import {
  API,
  json,
  type MoreOAuth2,
  oauth2,
  TOKEN_ENDPOINT,
  type TokenServer,
  tokenServer,
} from '../../support/token-server.ts';

// Between processes a lock takes real time, in which virtual time goes on. These tests have one
// process.
beforeAll(
  () => void Object.defineProperty(globalThis.navigator, 'locks', { value: undefined, configurable: true }),
);
afterAll(() => void Reflect.deleteProperty(globalThis.navigator, 'locks'));

const tabs: Scenario[] = [];
afterEach(async () => {
  for (const { fetch } of tabs.splice(0)) await fetch.close();
});

interface Tab extends Scenario {
  readonly auth: Auth & SignIn;
  readonly server: TokenServer;
  readonly received: AuthEvent[];
  get(): Promise<unknown>;
}

/** A tab; another one is on the same machine, with the same origins. */
function tab(more: MoreOAuth2 = {}, before?: Tab, options: PipelineOptions = {}): Tab {
  const policy = auth(oauth2(more));
  const scene = scenario([policy], {
    partition: 'ann',
    ...(before && { host: before.host, fetch: before.origin.fetch }),
    ...options,
  });
  tabs.push(scene);
  const { origin, host, clock } = before ?? scene;
  const received: AuthEvent[] = [];
  policy.subscribe((event) => received.push(event));
  return {
    ...scene,
    origin,
    host,
    clock,
    auth: policy,
    server: before?.server ?? tokenServer(origin, host),
    received,
    get: () =>
      scene.fetch(`${API}/x`).then(
        async (response) => (response.ok ? response.text() : response.status),
        (error) => error.code ?? error,
      ),
  };
}

/** Workers have such channels by name only. */
const isAlone =
  typeof BroadcastChannel !== 'function' || globalThis.navigator?.userAgent === 'Cloudflare-Workers';

const key = crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
const encrypted = { encryption: encryptWith(() => key as Promise<CryptoKey>) };

describe('signing in and out', () => {
  test('a call before the sign-in is rejected, and nothing is sent', async () => {
    const { get, origin, emitted } = tab();
    expect(await get()).toBe('signed-out');
    expect(origin.seen).toEqual([]);
    expect(emitted('refused')).toMatchObject([{ code: 'signed-out' }]);
  });

  test('a sign-in takes effect at once', async () => {
    const { get, auth, server } = tab();
    void auth.signIn(server.login());
    expect(await get()).toBe('ann');
    void auth.signOut();
    expect(await get()).toBe('signed-out');
  });

  test('each user has tokens of their own', async () => {
    let user = 'ann';
    const { get, auth, server, clock } = tab({}, undefined, { partition: () => user });
    await auth.signIn(server.login('ann'));
    await auth.signIn(server.login('bob'), { partition: 'bob' });
    expect(await get()).toBe('ann');
    user = 'bob';
    expect(await get()).toBe('bob');
    user = 'carl';
    expect(await get()).toBe('signed-out');
    await clock.advance(3_600_000);
    user = 'ann';
    const anns = get();
    user = 'bob';
    expect(await Promise.all([anns, get()])).toEqual(['ann', 'bob']);
    expect(server.asked()).toHaveLength(2);
    await auth.signOut({ partition: 'ann' });
    expect(await get()).toBe('bob');
    user = 'ann';
    expect(await get()).toBe('signed-out');
  });

  test('a sign-out during a refresh discards the new tokens', async () => {
    const { get, auth, server, clock, received } = tab();
    await auth.signIn(server.login());
    await clock.advance(3_600_000);
    server.replies(slow(clock, 1_000, () => json(server.login())));
    const waits = get();
    clock.after(500, () => void auth.signOut());
    expect(await waits).toBe('signed-out');
    expect(await get()).toBe('signed-out');
    expect(received.map(({ type }) => type)).toEqual(['signed-in', 'signed-out']);
  });

  test('a sign-in during a refresh keeps the tokens of the sign-in', async () => {
    const { get, auth, server, clock } = tab({}, undefined);
    await auth.signIn(server.login());
    await clock.advance(3_600_000);
    server.replies(slow(clock, 1_000, () => json(server.login('old'))));
    const waits = get();
    clock.after(500, () => void auth.signIn(server.login('ann')));
    expect(await waits).toBe('ann');
    expect(await get()).toBe('ann');
  });

  test('a refresh keeps its tokens, though more users sign in than fit in memory', async () => {
    const { get, auth, server, clock } = tab({ store: memoryStore() });
    await auth.signIn(server.login());
    await clock.advance(3_600_000);
    server.replies(slow(clock, 1_000, () => json(server.login())));
    const waits = get();
    for (let n = 0; n < 1_000; n++) {
      const partition = `user-${n}`;
      await auth.signIn(server.login(partition), { partition });
    }
    expect(await waits).toBe('ann');
    expect(await get()).toBe('ann');
    expect(server.asked()).toHaveLength(1);
  });

  test('a call that gets a 401 after a sign-out emits no second one', async () => {
    const { get, auth, server, origin, clock, received } = tab();
    await auth.signIn(server.login());
    origin.replies(slow(clock, 1_000, () => status(401)));
    const call = get();
    clock.after(500, () => void auth.signOut());
    expect(await call).toBe('signed-out');
    expect(received).toMatchObject([{ type: 'signed-in' }, { type: 'signed-out', reason: 'application' }]);
    expect(server.asked()).toEqual([]);
  });

  test('a grant without a refresh token gives a user no tokens of another one, signed in during it', async () => {
    let user = 'ann';
    let isSwitched = true;
    const { get, server } = tab(
      {
        // A cookie names the user of these tokens.
        grant: async () => {
          if (isSwitched) user = 'bob';
          return server.login(user, { refresh_token: undefined as never });
        },
      },
      undefined,
      { partition: () => user },
    );
    expect(await get()).toBe('user-changed');
    isSwitched = false;
    user = 'ann';
    expect(await get()).toBe('ann');
  });

  test('a sign-out where no user has to sign in starts no new grant', async () => {
    let grants = 0;
    const { get, auth, server } = tab({
      grant: async () => {
        grants++;
        return server.login();
      },
    });
    expect(await get()).toBe('ann');
    await auth.signOut();
    expect(await get()).toBe('signed-out');
    expect(grants).toBe(1);
    await auth.signIn(server.login());
    expect(await get()).toBe('ann');
  });

  test.each([undefined, null, 'token', {}, { access_token: '' }, { access_token: 'a', expires_in: 0 }])(
    'a sign-in with an invalid token response is an error: %j',
    async (tokens) => {
      const { auth } = tab();
      await expect(auth.signIn(tokens as never)).rejects.toThrow(ConfigurationError);
    },
  );

  test('a sign-in without a pipeline is an error', async () => {
    const lonely = auth({ scheme: 'oauth2', origins: [API], grant: async () => undefined });
    await expect(lonely.signIn({ access_token: 'a' })).rejects.toThrow(/give it to createClient/);
  });

  test('a subscriber receives sign-ins and sign-outs until it unsubscribes, though another one throws', async () => {
    const { auth, server, received, emitted } = tab();
    const own: AuthEvent[] = [];
    auth.subscribe(() => {
      throw new Error('mine');
    });
    const end = auth.subscribe((event) => own.push(event));
    await auth.signIn(server.login());
    end();
    await auth.signOut();
    expect(own.map(({ type }) => type)).toEqual(['signed-in']);
    expect(received).toEqual([
      { type: 'signed-in', partition: 'ann', remote: false },
      { type: 'signed-out', partition: 'ann', reason: 'application', remote: false },
    ]);
    expect(emitted('signed-out')).toMatchObject([{ reason: 'application' }]);
  });
});

describe('tokens in a store', () => {
  test('stored tokens are found again after a reload', async () => {
    const store = durableStore();
    const first = tab({ store, ...encrypted });
    await first.auth.signIn(first.server.login());
    await first.fetch.close();
    const second = tab({ store, ...encrypted }, first);
    expect(await second.get()).toBe('ann');
    await second.clock.advance(3_600_000);
    expect(await second.get()).toBe('ann');
    await settle();
    await second.fetch.close();
    const third = tab({ store, ...encrypted }, first);
    expect(await third.get()).toBe('ann');
    expect(first.server.asked()).toHaveLength(1);
    await third.auth.signOut();
    await third.fetch.close();
    expect(await tab({ store, ...encrypted }, first).get()).toBe('signed-out');
    expect(await store.range({})).toEqual([]);
  });

  test('stored tokens are encrypted, and bound to their user', async () => {
    const store = durableStore();
    const first = tab({ store, ...encrypted });
    await first.auth.signIn(first.server.login());
    const [item] = await store.range({});
    const bytes = new TextDecoder('latin1').decode(item?.value as Uint8Array);
    expect(`${item?.key} ${bytes}`).not.toMatch(/ann|access|refresh|id\.example/);
    // Moved to the key of another user, they cannot be decrypted.
    const second = tab({ store, ...encrypted }, first, { partition: 'bob' });
    await second.auth.signIn(first.server.login('bob'));
    const items = await store.range({});
    const bobs = items.find(({ key }) => key !== item?.key) as { key: string };
    await store.write([{ put: { key: bobs.key, value: item?.value } }]);
    expect(await tab({ store, ...encrypted }, first, { partition: 'bob' }).get()).toBe('signed-out');
  });

  test.each<[string, unknown]>([
    ['another version', { accessToken: 7 }],
    ['half a record', new Uint8Array([1, 2, 3])],
    ['nothing', null],
  ])('stored tokens that cannot be read are ignored: %s', async (_, value) => {
    for (const encryption of [encrypted.encryption, false] as const) {
      const store = durableStore();
      const first = tab({ store, encryption });
      await first.auth.signIn(first.server.login());
      const [item] = await store.range({});
      await store.write([{ put: { key: item?.key as string, value } }]);
      expect(await tab({ store, encryption }, first).get()).toBe('signed-out');
      expect(first.server.called()).toEqual([]);
    }
  });

  test('stored tokens may be plain by an explicit option, or in memory', async () => {
    const store = durableStore();
    const first = tab({ store, encryption: false });
    await first.auth.signIn(first.server.login());
    expect(await tab({ store, encryption: false }, first).get()).toBe('ann');
    tab({ store: memoryStore() });
  });

  test('a store that fails on reading is a transient error', async () => {
    const store = durableStore();
    const first = tab({ store, ...encrypted });
    await first.auth.signIn(first.server.login());
    const second = tab({ store, ...encrypted }, first);
    store.break('fail');
    expect(await second.get()).toBe('refresh-failed');
    expect(second.emitted('store-failed')).toMatchObject([{ store: 'durable', operation: 'read' }]);
    store.heal();
    expect(await second.get()).toBe('ann');
  });

  test('an unavailable encryption key is a transient error, too', async () => {
    const store = durableStore();
    const first = tab({ store, ...encrypted });
    await first.auth.signIn(first.server.login());
    let isLocked = true;
    const open: Cipher['decrypt'] = async (...record) => {
      if (isLocked) throw new StorageError('no key');
      return encrypted.encryption.decrypt(...record);
    };
    const second = tab({ store, encryption: { ...encrypted.encryption, decrypt: open } }, first);
    expect(await second.get()).toBe('refresh-failed');
    isLocked = false;
    expect(await second.get()).toBe('ann');
  });

  test('a store that hangs delays no call for ever', async () => {
    const store = durableStore();
    const { auth, server, get, clock } = tab({ store, ...encrypted });
    await auth.signIn(server.login());
    await clock.advance(3_600_000);
    store.break('hang');
    expect(await get()).toBe('refresh-failed');
    store.heal();
    await clock.advance(2_000);
    expect(await get()).toBe('ann');
  });

  test.each(['fail', 'hang'] as const)(
    'a sign-out rejects if the store may still have the tokens (%s), and can be repeated',
    async (fault) => {
      const store = durableStore();
      const { auth, fetch, server, get } = tab({ store, ...encrypted });
      await auth.signIn(server.login());
      store.break(fault);
      await expect(auth.signOut()).rejects.toThrow(StorageError);
      await expect(fetch.signOut()).rejects.toThrow(StorageError);
      store.heal();
      expect(await get()).toBe('signed-out');
      await fetch.signOut();
      expect(await store.range({})).toEqual([]);
    },
  );

  test('a full store: the tokens work in memory, and a used refresh token is not found again', async () => {
    const store = durableStore();
    const first = tab({ store, ...encrypted });
    await first.auth.signIn(first.server.login());
    await first.clock.advance(3_600_000);
    const { write } = store;
    let full = true;
    (store as { write: FaultyStore['write'] }).write = async (changes) => {
      if (full && changes.some((change) => 'put' in change))
        throw new DOMException('full', 'QuotaExceededError');
      return write(changes);
    };
    expect(await first.get()).toBe('ann');
    await settle();
    expect(first.emitted('store-failed')).toMatchObject([{ operation: 'write' }]);
    expect(await store.range({})).toEqual([]);
    await first.clock.advance(3_600_000);
    full = false;
    expect(await first.get()).toBe('ann');
    await settle();
    expect(await store.range({})).toHaveLength(1);
    expect(first.server.reused).toBe(false);
  });

  test('stored tokens need a user', () => {
    expect(() => tab({ store: memoryStore() }, undefined, { partition: undefined })).toThrow(
      /'auth' needs it/,
    );
  });
});

describe('tabs that share a store', () => {
  test('tabs that share a store refresh once, however many calls come together', async () => {
    const store = durableStore();
    const first = tab({ store, ...encrypted });
    const all = [first, ...[1, 2, 3].map(() => tab({ store, ...encrypted }, first))];
    await first.auth.signIn(first.server.login());
    for (const each of all) expect(await each.get()).toBe('ann');
    await first.clock.advance(3_600_000);
    first.server.replies(slow(first.clock, 500, () => json(first.server.login())));
    const users = await Promise.all(all.flatMap(({ get }) => Array.from({ length: 50 }, get)));
    expect(new Set(users)).toEqual(new Set(['ann']));
    expect(first.server.asked()).toHaveLength(1);
    first.server.revoke();
    await first.clock.advance(60_000);
    const again = await Promise.all(all.flatMap(({ get }) => Array.from({ length: 50 }, get)));
    expect(new Set(again)).toEqual(new Set(['ann']));
    expect(first.server.asked()).toHaveLength(2);
    expect(first.server.reused).toBe(false);
  });

  test('a tab takes over the tokens that another one refreshed, and emits that', async () => {
    const store = durableStore();
    const [first, second] = twoTabs(store);
    await first.auth.signIn(first.server.login());
    expect(await second.get()).toBe('ann');
    await first.clock.advance(3_600_000);
    expect(await first.get()).toBe('ann');
    await settle();
    expect(await second.get()).toBe('ann');
    expect(first.server.asked()).toHaveLength(1);
    expect(second.emitted('token-refreshed')).toEqual([
      { type: 'token-refreshed', origin: API, remote: true },
    ]);
  });

  test('a tab with a refused token takes over the new one of another tab', async () => {
    const store = durableStore();
    const [first, second] = twoTabs(store);
    await first.auth.signIn(first.server.login());
    expect(await second.get()).toBe('ann');
    first.server.revoke();
    await second.auth.signIn(first.server.login());
    // Before the broadcast can have arrived.
    expect(await first.get()).toBe('ann');
    expect(first.server.asked()).toHaveLength(0);
    expect(await second.get()).toBe('ann');
    expect(first.server.reused).toBe(false);
  });

  test('tabs that share a store are signed in and out together', async () => {
    if (isAlone) return;
    const store = durableStore();
    const [first, second] = twoTabs(store);
    await first.auth.signIn(first.server.login());
    await settle();
    expect(second.received).toEqual([{ type: 'signed-in', partition: 'ann', remote: true }]);
    expect(await second.get()).toBe('ann');
    await first.auth.signOut();
    await settle();
    expect(second.received.at(-1)).toEqual({
      type: 'signed-out',
      partition: 'ann',
      reason: 'application',
      remote: true,
    });
    expect(await second.get()).toBe('signed-out');
  });

  test.each<[string, (tab: Tab) => void, unknown]>([
    ['signs in', ({ auth, server }) => void auth.signIn(server.login('new')), 'new'],
    ['signs out', ({ auth }) => void auth.signOut(), 'signed-out'],
  ])('a tab that %s does not read the old tokens from the store again', async (_, act, outcome) => {
    if (isAlone) return;
    const store = durableStore();
    const first = tab({ store, ...encrypted });
    await first.auth.signIn(first.server.login());
    const { write } = store;
    (store as { write: FaultyStore['write'] }).write = async (changes) => {
      await new Promise<void>((done) => first.clock.after(1_000, done, { background: true }));
      return write(changes);
    };
    act(first);
    // A late message of another tab about earlier tokens.
    const channel = new BroadcastChannel(`holdfast auth ${TOKEN_ENDPOINT} app`);
    channel.postMessage({ user: 'ann' });
    await settle();
    expect(await first.get()).toBe(outcome);
    await first.clock.advance(1_000);
    expect(await first.get()).toBe(outcome);
    channel.close();
    (store as { write: FaultyStore['write'] }).write = write;
    expect(await tab({ store, ...encrypted }, first).get()).toBe(outcome);
  });

  test('crafted messages throw nothing, and leave the tokens of the user', async () => {
    const restore = replaceChannel(FakeChannel);
    try {
      const [first, second] = twoTabs(durableStore());
      await first.auth.signIn(first.server.login());
      expect(await second.get()).toBe('ann');
      craft(...garbage);
      for (let nth = 0; nth < 2_000; nth++) craft({ user: `user ${nth}` }, { user: 'ann', was: `${nth}` });
      await settle();
      expect([await first.get(), await second.get()]).toEqual(['ann', 'ann']);
      expect(FakeChannel.thrown).toEqual([]);
    } finally {
      for (const { fetch } of tabs.splice(0)) await fetch.close();
      restore();
    }
  });

  test('a sign-in in one tab wins over a refresh in another', async () => {
    const native = globalThis.BroadcastChannel;
    Object.defineProperty(globalThis, 'BroadcastChannel', {
      value: undefined,
      configurable: true,
      writable: true,
    });
    try {
      const store = durableStore();
      const [first, second] = twoTabs(store);
      await first.auth.signIn(first.server.login());
      expect(await second.get()).toBe('ann');
      await first.clock.advance(3_600_000);
      first.server.replies(slow(first.clock, 1_000, () => json(first.server.login('old'))));
      const refreshed = second.get();
      const signedIn = new Promise((done) =>
        first.clock.after(500, () => done(first.auth.signIn(first.server.login('new')))),
      );
      expect(await refreshed).toBe('old');
      await signedIn;
      await settle();
      expect(await tab({ store, ...encrypted }, first).get()).toBe('new');
    } finally {
      globalThis.BroadcastChannel = native;
    }
  });

  test('a tab that missed a sign-out finds it before it refreshes', async () => {
    const store = durableStore();
    const [first, second] = twoTabs(store);
    await first.auth.signIn(first.server.login());
    expect(await second.get()).toBe('ann');
    const [item] = await store.range({});
    await store.write([{ delete: item?.key as string }]);
    await first.clock.advance(3_600_000);
    expect(await second.get()).toBe('signed-out');
    expect(first.server.asked()).toHaveLength(0);
  });

  test('a tab whose refresh token another process used takes over the tokens of that process', async () => {
    const store = durableStore();
    const { auth, server, get, clock } = tab({ store, encryption: false });
    await auth.signIn(server.login());
    await clock.advance(3_600_000);
    server.replies(slow(clock, 1_000, () => json({ error: 'invalid_grant' }, 400)));
    const waits = get();
    clock.after(500, async () => {
      const [item] = await store.range({});
      const { access_token: accessToken, refresh_token: refreshToken } = server.login();
      const value = { accessToken, refreshToken, lifetime: 3_600_000, askedAt: clock.now(), renewed: true };
      await store.write([{ put: { key: item?.key as string, value } }]);
    });
    expect(await waits).toBe('ann');
    expect(server.asked()).toHaveLength(1);
  });
});

/** Two tabs that have loaded. */
function twoTabs(store: FaultyStore): [Tab, Tab] {
  const first = tab({ store, ...encrypted });
  return [first, tab({ store, ...encrypted }, first)];
}

describe('tabs without a store', () => {
  /** Makes the global scope look like a page. */
  const inPages = async (run: () => Promise<void>): Promise<void> => {
    if (isAlone) return;
    const isPage = 'document' in globalThis;
    if (!isPage) Object.defineProperty(globalThis, 'document', { value: {}, configurable: true });
    try {
      await run();
    } finally {
      for (const { fetch } of tabs.splice(0)) await fetch.close();
      if (!isPage) Reflect.deleteProperty(globalThis, 'document');
    }
  };

  test('tabs with the same tokens refresh them once', () =>
    inPages(async () => {
      const first = tab();
      const second = tab({}, first);
      const tokens = first.server.login();
      for (const { auth } of [first, second]) await auth.signIn(tokens);
      await first.clock.advance(3_600_000);
      expect(await first.get()).toBe('ann');
      await settle();
      expect(await second.get()).toBe('ann');
      expect(first.server.asked()).toHaveLength(1);
      expect(second.received.at(-1)).toEqual({ type: 'refreshed', partition: 'ann', remote: true });
      await first.auth.signOut();
      await settle();
      expect(await second.get()).toBe('signed-out');
    }));

  test('tabs never take over the tokens of another sign-in', () =>
    inPages(async () => {
      const first = tab();
      const second = tab({}, first);
      await first.auth.signIn(first.server.login('ann'));
      await second.auth.signIn(first.server.login('bob'));
      await first.clock.advance(3_600_000);
      expect(await first.get()).toBe('ann');
      await settle();
      expect(await second.get()).toBe('bob');
      await first.auth.signOut();
      await settle();
      expect(await second.get()).toBe('bob');
    }));

  test('tabs never take over the sign-in of another tab, though their tokens were the same', () =>
    inPages(async () => {
      const first = tab();
      const second = tab({}, first);
      const tokens = first.server.login('ann');
      for (const { auth } of [first, second]) await auth.signIn(tokens);
      await first.auth.signIn(first.server.login('bob'));
      await settle();
      expect([await first.get(), await second.get()]).toEqual(['bob', 'ann']);
    }));

  test('tabs ignore foreign messages on their channel', () =>
    inPages(async () => {
      const first = tab();
      const tokens = first.server.login();
      await first.auth.signIn(tokens);
      const channel = new BroadcastChannel(`holdfast auth ${TOKEN_ENDPOINT} app`);
      const was = tokens.refresh_token;
      for (const message of [null, 7, 'x', {}, { user: 7 }, { user: 'ann', was, now: { accessToken: 7 } }])
        channel.postMessage(message);
      await settle();
      channel.close();
      expect(await first.get()).toBe('ann');
    }));
});

test('two pipelines with one policy have one session', async () => {
  const first = tab();
  const other = scenario([first.auth], { partition: 'ann', host: first.host, fetch: first.origin.fetch });
  tabs.push(other);
  await first.auth.signIn(first.server.login());
  await first.clock.advance(3_600_000);
  first.server.replies(slow(first.clock, 1_000, () => json(first.server.login())));
  const [one, two] = [first.get(), other.fetch(`${API}/x`)];
  // The pipeline that has started it closes.
  first.clock.after(500, () => void first.fetch.close());
  expect(await one).toBe('closed');
  expect((await two).status).toBe(200);
  expect(first.server.asked()).toHaveLength(1);
});

test('a pipeline that closes while it waits for the lock does not end the wait of another', async () => {
  const store = durableStore();
  const busy = tab({ store, ...encrypted });
  await busy.auth.signIn(busy.server.login());
  const first = tab({ store, ...encrypted }, busy);
  const { host, fetch } = { host: busy.host, fetch: busy.origin.fetch };
  const other = scenario([first.auth], { partition: 'ann', host, fetch });
  tabs.push(other);
  expect(await first.get()).toBe('ann');
  await busy.clock.advance(3_600_000);
  busy.server.replies(slow(busy.clock, 2_000, () => status(503)));
  const [failing, closing] = [busy.get(), first.get()];
  const going = other.fetch(`${API}/x`);
  busy.clock.after(500, () => void first.fetch.close());
  expect([await failing, await closing]).toEqual(['refresh-failed', 'closed']);
  expect((await going).status).toBe(200);
});

test('close() releases all resources, and a later pipeline goes on', async () => {
  const native = globalThis.BroadcastChannel;
  const channels = { opened: 0, closed: 0 };
  if (!isAlone)
    globalThis.BroadcastChannel = class extends native {
      constructor(name: string) {
        super(name);
        channels.opened++;
      }
      override close(): void {
        channels.closed++;
        super.close();
      }
    };
  const store = durableStore();
  const first = tab({ store, ...encrypted });
  await first.auth.signIn(first.server.login());
  expect(await first.get()).toBe('ann');
  await first.fetch.close();
  globalThis.BroadcastChannel = native;
  expect(first.clock.pending).toBe(0);
  expect(channels).toEqual(isAlone ? { opened: 0, closed: 0 } : { opened: 1, closed: 1 });
  const again = scenario([first.auth], { partition: 'ann', host: first.host, fetch: first.origin.fetch });
  tabs.push(again);
  expect((await again.fetch(`${API}/x`)).status).toBe(200);
});

test('no event contains a secret', async () => {
  const { auth, server, get, clock, events, received } = tab();
  await auth.signIn(server.login());
  server.revoke();
  await get();
  server.replies(status(503));
  await clock.advance(3_600_000);
  await get();
  await auth.signOut();
  expect(events.map(({ type }) => type)).toContain('token-refresh-failed');
  expect(JSON.stringify([events, received])).not.toMatch(/access-|refresh-ann|Bearer/);
});
