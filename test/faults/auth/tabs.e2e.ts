import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { TokenResponse } from '../../../src/index.ts';
import { startServer } from '../../../tools/misbehaving-server/server.ts';
import { type Site, startSite } from '../site.ts';
import { type Browser, browsers, type Tab } from '../worker/tabs.ts';
import type { Page } from './page/main.ts';

const TABS = 4;
const CALLS = 50;
const ROUNDS = 3;

const POLL = { timeout: 60_000, interval: 20 };

describe.each(browsers)('in $name', ({ missing, launch }) => {
  const here = test.skipIf(missing !== undefined && !process.env.CI);
  let site: Site;
  let server: Awaited<ReturnType<typeof startServer>>;
  let browser: Browser;
  let tabs: Tab<Page>[];
  let base: string;

  const login = async (query = ''): Promise<TokenResponse> =>
    (await fetch(`${base}/login?${query}`, { method: 'POST' })).json();
  const counts = async (): Promise<Record<string, number>> => (await fetch(`${base}/counts`)).json();
  const all = <T>(what: (tab: Tab<Page>) => Promise<T>): Promise<T[]> => Promise.all(tabs.map(what));

  beforeAll(async () => {
    site = await startSite(new URL('page/main.ts', import.meta.url));
    server = await startServer({});
    if (!missing || process.env.CI) browser = await launch();
  });
  beforeEach(async () => {
    base = `${server.url}/${crypto.randomUUID()}/oauth`;
    tabs = [];
    while (browser && tabs.length < TABS) tabs.push(await browser.open<Page>(site.url));
  });
  afterEach(async () => {
    for (const tab of tabs) await tab.call('signOut');
    for (const tab of tabs) await tab.close();
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
    await site?.close();
  });

  describe.each([
    ['that share a store', true],
    ['that have only memory', false],
  ])('four tabs %s', (_, kept) => {
    /** The same user in all of them. */
    const signIn = async (tokens: TokenResponse): Promise<void> => {
      if (kept) await tabs[0]?.call('signIn', tokens);
      else await all((tab) => tab.call('signIn', tokens));
    };

    here('four tabs refresh a token once for fifty calls in each, and the grant is not revoked', async () => {
      // The origin refuses each token from the beginning, but for the last; so each round begins
      // with one that it refuses.
      await all((tab) => tab.call('open', { base, kept, query: 'delay=30' }));
      await signIn(await login('goodFor=0'));
      const outcomes = await all((tab) => tab.call('calls', CALLS));
      expect(outcomes).toEqual(Array(TABS).fill({ 200: CALLS }));
      expect(await counts()).toMatchObject({ refreshes: 1, refreshed: 1, reused: 0, revoked: 0 });
    });

    here('four tabs refresh again and again, as tokens expire', async () => {
      await all((tab) => tab.call('open', { base, kept, query: 'expiresIn=3&delay=10' }));
      const began = performance.now();
      await signIn(await login('expiresIn=3'));
      for (let round = 0; round < ROUNDS; round++) {
        const outcomes = await all((tab) => tab.call('calls', CALLS));
        expect(outcomes).toEqual(Array(TABS).fill({ 200: CALLS }));
        await new Promise((done) => setTimeout(done, 2_000));
      }
      const counted = await counts();
      expect(counted).toMatchObject({ reused: 0, revoked: 0 });
      // A token lives for three seconds, and is refreshed when half of that is over.
      expect(counted.refreshes).toBeGreaterThanOrEqual(ROUNDS - 1);
      expect(counted.refreshes).toBeLessThanOrEqual(ROUNDS + (performance.now() - began) / 1_500);
    });

    here('four tabs are signed out when one of them signs out', async () => {
      await all((tab) => tab.call('open', { base, kept }));
      const tokens = await login();
      await signIn(tokens);
      expect(await all((tab) => tab.call('calls', 1))).toEqual(Array(TABS).fill({ 200: 1 }));
      await tabs[1]?.call('signOut');
      for (const tab of tabs)
        await expect.poll(() => tab.call('news'), POLL).toContainEqual(expect.stringMatching('signed-out'));
      expect(await all((tab) => tab.call('calls', 1))).toEqual(Array(TABS).fill({ 'signed-out': 1 }));
    });

    here('four tabs have one clear error when the grant is gone', async () => {
      await all((tab) => tab.call('open', { base, kept }));
      const tokens = await login('goodFor=0');
      await signIn(tokens);
      // Another client has used the refresh token.
      const body = new URLSearchParams({
        grant_type: 'refresh_token',
        refresh_token: tokens.refresh_token ?? '',
      });
      await fetch(`${base}/token`, { method: 'POST', body });
      expect(await all((tab) => tab.call('calls', CALLS))).toEqual(Array(TABS).fill({ 'signed-out': CALLS }));
      expect(await counts()).toMatchObject({ refreshes: 2 });
    });
  });

  here('a tab that is closed during its refresh does not delay the others', async () => {
    await all((tab) => tab.call('open', { base, kept: true, query: 'sequence=hang,ok&key=once' }));
    await tabs[0]?.call('signIn', await login('goodFor=0'));
    const [first, ...others] = tabs as [Tab<Page>, ...Tab<Page>[]];
    first.call('calls', 1).catch(() => {});
    await expect.poll(async () => (await requests(server.url)).length, POLL).toBe(1);
    const waiting = Promise.all(others.map((tab) => tab.call('calls', 1)));
    await first.close();
    tabs = others;
    expect(await waiting).toEqual(Array(TABS - 1).fill({ 200: 1 }));
    expect(await counts()).toMatchObject({ refreshed: 1, reused: 0 });
  });

  /** The refreshes that are under way or over. */
  const requests = async (url: string): Promise<unknown[]> => {
    const path = `${new URL(base).pathname}/token`;
    const log = (await (await fetch(`${url}/control/requests?path=${path}`)).json()) as {
      requests: unknown[];
    };
    return log.requests;
  };
});
