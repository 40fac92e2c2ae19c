import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { StorageError } from '../../../src/core/errors.ts';
import type { PipelineOptions } from '../../../src/core/pipeline.ts';
import type { Cipher } from '../../../src/core/store.ts';
import type { AuthEvent } from '../../../src/policies/auth/attached-pipelines.ts';
import { type Auth, auth } from '../../../src/policies/auth/auth.ts';
import type { SignIn } from '../../../src/policies/auth/create-scheme.ts';
import { ConfigurationError } from '../../../src/primitives/failure.ts';
import { encryptWith } from '../../../src/stores/encryption.ts';
import { memoryStore } from '../../../src/stores/memory.ts';
import { slow, status } from '../../../src/testing/index.ts';
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

// Between processes a lock takes real time, in which virtual time goes on. Here is only one.
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
  readonly heard: AuthEvent[];
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
  const heard: AuthEvent[] = [];
  policy.subscribe((news) => heard.push(news));
  return {
    ...scene,
    origin,
    host,
    clock,
    auth: policy,
    server: before?.server ?? tokenServer(origin, host),
    heard,
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
const sealed = { encryption: encryptWith(() => key as Promise<CryptoKey>) };

describe('signing in and out', () => {
  test('a call before it is refused, and nothing is sent', async () => {
    const { get, origin, told } = tab();
    expect(await get()).toBe('signed-out');
    expect(origin.seen).toEqual([]);
    expect(told('refused')).toMatchObject([{ code: 'signed-out' }]);
  });

  test('counts at once', async () => {
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

  test('out, while tokens are being refreshed: they are not kept', async () => {
    const { get, auth, server, clock, heard } = tab();
    await auth.signIn(server.login());
    await clock.advance(3_600_000);
    server.replies(slow(clock, 1_000, () => json(server.login())));
    const waits = get();
    clock.after(500, () => void auth.signOut());
    expect(await waits).toBe('signed-out');
    expect(await get()).toBe('signed-out');
    expect(heard.map(({ type }) => type)).toEqual(['signed-in', 'signed-out']);
  });

  test('in, while others are being refreshed: those of the sign-in stay', async () => {
    const { get, auth, server, clock } = tab({}, undefined);
    await auth.signIn(server.login());
    await clock.advance(3_600_000);
    server.replies(slow(clock, 1_000, () => json(server.login('old'))));
    const waits = get();
    clock.after(500, () => void auth.signIn(server.login('ann')));
    expect(await waits).toBe('ann');
    expect(await get()).toBe('ann');
  });

  test('out, where nobody has to sign in: nothing is begun anew', async () => {
    let asked = 0;
    const { get, auth, server } = tab({
      grant: async () => {
        asked++;
        return server.login();
      },
    });
    expect(await get()).toBe('ann');
    await auth.signOut();
    expect(await get()).toBe('signed-out');
    expect(asked).toBe(1);
    await auth.signIn(server.login());
    expect(await get()).toBe('ann');
  });

  test.each([undefined, null, 'token', {}, { access_token: '' }, { access_token: 'a', expires_in: 0 }])(
    'with what is no answer of a token endpoint is an error: %j',
    async (tokens) => {
      const { auth } = tab();
      await expect(auth.signIn(tokens as never)).rejects.toThrow(ConfigurationError);
    },
  );

  test('in without a pipeline is an error', async () => {
    const lonely = auth({ scheme: 'oauth2', origins: [API], grant: async () => undefined });
    await expect(lonely.signIn({ access_token: 'a' })).rejects.toThrow(/part of a pipeline/);
  });

  test('is heard until one does not listen any more; who throws harms nobody', async () => {
    const { auth, server, heard, told } = tab();
    const own: AuthEvent[] = [];
    auth.subscribe(() => {
      throw new Error('mine');
    });
    const end = auth.subscribe((news) => own.push(news));
    await auth.signIn(server.login());
    end();
    await auth.signOut();
    expect(own.map(({ type }) => type)).toEqual(['signed-in']);
    expect(heard).toEqual([
      { type: 'signed-in', partition: 'ann', remote: false },
      { type: 'signed-out', partition: 'ann', reason: 'application', remote: false },
    ]);
    expect(told('signed-out')).toMatchObject([{ reason: 'application' }]);
  });
});

describe('tokens in a store', () => {
  test('are found again after a reload', async () => {
    const store = durableStore();
    const first = tab({ store, ...sealed });
    await first.auth.signIn(first.server.login());
    await first.fetch.close();
    const second = tab({ store, ...sealed }, first);
    expect(await second.get()).toBe('ann');
    await second.clock.advance(3_600_000);
    expect(await second.get()).toBe('ann');
    await settle();
    await second.fetch.close();
    const third = tab({ store, ...sealed }, first);
    expect(await third.get()).toBe('ann');
    expect(first.server.asked()).toHaveLength(1);
    await third.auth.signOut();
    await third.fetch.close();
    expect(await tab({ store, ...sealed }, first).get()).toBe('signed-out');
    expect(await store.range({})).toEqual([]);
  });

  test('say nothing to whoever reads the disk, and are nobody else’s', async () => {
    const store = durableStore();
    const first = tab({ store, ...sealed });
    await first.auth.signIn(first.server.login());
    const [item] = await store.range({});
    const bytes = new TextDecoder('latin1').decode(item?.value as Uint8Array);
    expect(`${item?.key} ${bytes}`).not.toMatch(/ann|access|refresh|id\.example/);
    // Moved to where somebody else's would be, they cannot be opened.
    const second = tab({ store, ...sealed }, first, { partition: 'bob' });
    await second.auth.signIn(first.server.login('bob'));
    const items = await store.range({});
    const bobs = items.find(({ key }) => key !== item?.key) as { key: string };
    await store.write([{ put: { key: bobs.key, value: item?.value } }]);
    expect(await tab({ store, ...sealed }, first, { partition: 'bob' }).get()).toBe('signed-out');
  });

  test.each<[string, unknown]>([
    ['another version', { accessToken: 7 }],
    ['half a record', new Uint8Array([1, 2, 3])],
    ['nothing', null],
  ])('that cannot be read are none: %s', async (_, value) => {
    for (const codec of [sealed.encryption, false] as const) {
      const store = durableStore();
      const first = tab({ store, encryption: codec });
      await first.auth.signIn(first.server.login());
      const [item] = await store.range({});
      await store.write([{ put: { key: item?.key as string, value } }]);
      expect(await tab({ store, encryption: codec }, first).get()).toBe('signed-out');
      expect(first.server.called()).toEqual([]);
    }
  });

  test('may lie open where that is said aloud, or where they do not survive', async () => {
    const store = durableStore();
    const first = tab({ store, encryption: false });
    await first.auth.signIn(first.server.login());
    expect(await tab({ store, encryption: false }, first).get()).toBe('ann');
    tab({ store: memoryStore() });
  });

  test('a store that fails when it is read is an error that passes', async () => {
    const store = durableStore();
    const first = tab({ store, ...sealed });
    await first.auth.signIn(first.server.login());
    const second = tab({ store, ...sealed }, first);
    store.break('fail');
    expect(await second.get()).toBe('refresh-failed');
    expect(second.told('store-failed')).toMatchObject([{ store: 'durable', operation: 'read' }]);
    store.heal();
    expect(await second.get()).toBe('ann');
  });

  test('a key that is not to be had just now is an error that passes, too', async () => {
    const store = durableStore();
    const first = tab({ store, ...sealed });
    await first.auth.signIn(first.server.login());
    let isLocked = true;
    const open: Cipher['decrypt'] = async (...record) => {
      if (isLocked) throw new StorageError('no key');
      return sealed.encryption.decrypt(...record);
    };
    const second = tab({ store, encryption: { ...sealed.encryption, decrypt: open } }, first);
    expect(await second.get()).toBe('refresh-failed');
    isLocked = false;
    expect(await second.get()).toBe('ann');
  });

  test('a store that hangs holds up nobody for ever', async () => {
    const store = durableStore();
    const { auth, server, get, clock } = tab({ store, ...sealed });
    await auth.signIn(server.login());
    await clock.advance(3_600_000);
    store.break('hang');
    expect(await get()).toBe('refresh-failed');
    store.heal();
    await clock.advance(2_000);
    expect(await get()).toBe('ann');
  });

  test('a store that takes nothing: they are at hand, and what was used up is not found again', async () => {
    const store = durableStore();
    const first = tab({ store, ...sealed });
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
    expect(first.told('store-failed')).toMatchObject([{ operation: 'write' }]);
    expect(await store.range({})).toEqual([]);
    await first.clock.advance(3_600_000);
    full = false;
    expect(await first.get()).toBe('ann');
    await settle();
    expect(await store.range({})).toHaveLength(1);
    expect(first.server.reused).toBe(false);
  });

  test('belong to somebody, who has to be named', () => {
    expect(() => tab({ store: memoryStore() }, undefined, { partition: undefined })).toThrow(
      /'auth' needs it/,
    );
  });
});

describe('tabs that share a store', () => {
  test('refresh once, whatever comes together', async () => {
    const store = durableStore();
    const first = tab({ store, ...sealed });
    const all = [first, ...[1, 2, 3].map(() => tab({ store, ...sealed }, first))];
    await first.auth.signIn(first.server.login());
    for (const each of all) expect(await each.get()).toBe('ann');
    await first.clock.advance(3_600_000);
    first.server.replies(slow(first.clock, 500, () => json(first.server.login())));
    const answers = await Promise.all(all.flatMap(({ get }) => Array.from({ length: 50 }, get)));
    expect(new Set(answers)).toEqual(new Set(['ann']));
    expect(first.server.asked()).toHaveLength(1);
    first.server.revoke();
    await first.clock.advance(60_000);
    const again = await Promise.all(all.flatMap(({ get }) => Array.from({ length: 50 }, get)));
    expect(new Set(again)).toEqual(new Set(['ann']));
    expect(first.server.asked()).toHaveLength(2);
    expect(first.server.reused).toBe(false);
  });

  test('take over what another one has got, and say so', async () => {
    const store = durableStore();
    const [first, second] = twoTabs(store);
    await first.auth.signIn(first.server.login());
    expect(await second.get()).toBe('ann');
    await first.clock.advance(3_600_000);
    expect(await first.get()).toBe('ann');
    await settle();
    expect(await second.get()).toBe('ann');
    expect(first.server.asked()).toHaveLength(1);
    expect(second.told('token-refreshed')).toEqual([{ type: 'token-refreshed', origin: API, remote: true }]);
  });

  test('one that is late for a refused token takes over the new one', async () => {
    const store = durableStore();
    const [first, second] = twoTabs(store);
    await first.auth.signIn(first.server.login());
    expect(await second.get()).toBe('ann');
    first.server.revoke();
    await second.auth.signIn(first.server.login());
    // Before it can have heard of it.
    expect(await first.get()).toBe('ann');
    expect(first.server.asked()).toHaveLength(0);
    expect(await second.get()).toBe('ann');
    expect(first.server.reused).toBe(false);
  });

  test('are signed in and out together', async () => {
    if (isAlone) return;
    const store = durableStore();
    const [first, second] = twoTabs(store);
    await first.auth.signIn(first.server.login());
    await settle();
    expect(second.heard).toEqual([{ type: 'signed-in', partition: 'ann', remote: true }]);
    expect(await second.get()).toBe('ann');
    await first.auth.signOut();
    await settle();
    expect(second.heard.at(-1)).toEqual({
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
  ])('one that %s does not take the old ones out of the store again', async (_, act, outcome) => {
    if (isAlone) return;
    const store = durableStore();
    const first = tab({ store, ...sealed });
    await first.auth.signIn(first.server.login());
    const { write } = store;
    (store as { write: FaultyStore['write'] }).write = async (changes) => {
      await new Promise<void>((done) => first.clock.after(1_000, done, { background: true }));
      return write(changes);
    };
    act(first);
    // Somebody tells that there is something new, which was so a while ago.
    const channel = new BroadcastChannel(`holdfast auth ${TOKEN_ENDPOINT} app`);
    channel.postMessage({ user: 'ann' });
    await settle();
    expect(await first.get()).toBe(outcome);
    await first.clock.advance(1_000);
    expect(await first.get()).toBe(outcome);
    channel.close();
    (store as { write: FaultyStore['write'] }).write = write;
    expect(await tab({ store, ...sealed }, first).get()).toBe(outcome);
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

  test('one that signs in while another one refreshes has the last word', async () => {
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
      expect(await tab({ store, ...sealed }, first).get()).toBe('new');
    } finally {
      globalThis.BroadcastChannel = native;
    }
  });

  test('one that has not heard of a sign-out finds it before it refreshes', async () => {
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

  test('one whose token was used up by a process without our locks takes over what came of it', async () => {
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
  const first = tab({ store, ...sealed });
  return [first, tab({ store, ...sealed }, first)];
}

describe('tabs without a store', () => {
  /** What makes a page of it. */
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

  test('that have the same tokens refresh them once', () =>
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
      expect(second.heard.at(-1)).toEqual({ type: 'refreshed', partition: 'ann', remote: true });
      await first.auth.signOut();
      await settle();
      expect(await second.get()).toBe('signed-out');
    }));

  test('never take over another one’s, whatever they are called', () =>
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

  test('nor what another one signs in with, though it had the same before', () =>
    inPages(async () => {
      const first = tab();
      const second = tab({}, first);
      const tokens = first.server.login('ann');
      for (const { auth } of [first, second]) await auth.signIn(tokens);
      await first.auth.signIn(first.server.login('bob'));
      await settle();
      expect([await first.get(), await second.get()]).toEqual(['bob', 'ann']);
    }));

  test('do not mind what others say on their channel', () =>
    inPages(async () => {
      const first = tab();
      const tokens = first.server.login();
      await first.auth.signIn(tokens);
      const channel = new BroadcastChannel(`holdfast auth ${TOKEN_ENDPOINT} app`);
      const was = tokens.refresh_token;
      for (const word of [null, 7, 'x', {}, { user: 7 }, { user: 'ann', was, now: { accessToken: 7 } }])
        channel.postMessage(word);
      await settle();
      channel.close();
      expect(await first.get()).toBe('ann');
    }));
});

test('two pipelines that have one policy have one session', async () => {
  const first = tab();
  const other = scenario([first.auth], { partition: 'ann', host: first.host, fetch: first.origin.fetch });
  tabs.push(other);
  await first.auth.signIn(first.server.login());
  await first.clock.advance(3_600_000);
  first.server.replies(slow(first.clock, 1_000, () => json(first.server.login())));
  const [one, two] = [first.get(), other.fetch(`${API}/x`)];
  // The one that has begun it goes.
  first.clock.after(500, () => void first.fetch.close());
  expect(await one).toBe('closed');
  expect((await two).status).toBe(200);
  expect(first.server.asked()).toHaveLength(1);
});

test('the end of the one that stands in line is no end for the other', async () => {
  const store = durableStore();
  const busy = tab({ store, ...sealed });
  await busy.auth.signIn(busy.server.login());
  const first = tab({ store, ...sealed }, busy);
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

test('close() gives back what there is, and a later pipeline goes on', async () => {
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
  const first = tab({ store, ...sealed });
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

test('nothing secret is in any event', async () => {
  const { auth, server, get, clock, events, heard } = tab();
  await auth.signIn(server.login());
  server.revoke();
  await get();
  server.replies(status(503));
  await clock.advance(3_600_000);
  await get();
  await auth.signOut();
  expect(events.map(({ type }) => type)).toContain('token-refresh-failed');
  expect(JSON.stringify([events, heard])).not.toMatch(/access-|refresh-ann|Bearer/);
});
