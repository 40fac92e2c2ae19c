import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, type CDPSession, chromium as playwright } from 'playwright';
import puppeteer from 'puppeteer-core';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { chromiumOptions } from '../../../../tools/runtimes/browsers.ts';
import { chromium, firefox } from '../../../../tools/runtimes/installed.ts';
import { tabIn } from '../../cache/browsers.ts';
import { type Site, startSite } from '../../site.ts';
import { type Origin, startOrigin } from './origin.ts';
import { page as script, type Tab } from './stage.ts';

/** A site whose disk can be full. */
interface Disk {
  open(site: Site): Promise<Tab>;
  /** No further write has room. */
  fill(tab: Tab): Promise<void>;
  makeRoom(tab: Tab): Promise<void>;
  close(): Promise<void>;
}

/**
 * @param context Chromium stores on the disk for a window, in memory for a private one, and counts
 * differently.
 */
function inChromium(context: BrowserContext, close: () => Promise<void>): Disk {
  let devtools: CDPSession | undefined;
  let origin = '';
  const allow = (quotaSize?: number) =>
    devtools?.send('Storage.overrideQuotaForOrigin', {
      origin,
      ...(quotaSize !== undefined && { quotaSize }),
    });
  return {
    async open(site) {
      const page = await context.newPage();
      devtools = await context.newCDPSession(page);
      origin = site.url;
      await page.goto(site.url);
      // Chromium looks again at the free space only when its last value is too small: that must not
      // be much.
      await allow(1_500_000);
      return tabIn(page) as unknown as Tab;
    },
    async fill(tab) {
      await allow(1);
      await expect(tab.call('fillDisk', 2_000_000)).rejects.toThrow('Quota');
    },
    makeRoom: async () => void (await allow()),
    close,
  };
}

/**
 * Its limit is set when it starts; here a site gets 10 MB at the most, and the site itself fills
 * them.
 */
async function inFirefox(): Promise<Disk> {
  const browser = await puppeteer.launch({
    browser: 'firefox',
    executablePath: firefox ?? '',
    headless: true,
    timeout: 60_000,
    extraPrefsFirefox: { 'dom.quotaManager.temporaryStorage.fixedLimit': 10_000 },
  });
  return {
    async open(site) {
      const page = await browser.newPage();
      await page.goto(site.url);
      const call = 'return page[arguments[0]](...JSON.parse(arguments[1]))';
      const run = new Function(call) as (...args: string[]) => unknown;
      return { call: (name, ...args) => page.evaluate(run, name, JSON.stringify(args)) as never };
    },
    fill: async (tab) => void (await tab.call('fillAll', 2 ** 16)),
    makeRoom: (tab) => tab.call('makeRoom'),
    close: () => browser.close(),
  };
}

/** WebKitGTK cannot be given less room than the disk has. */
const disks: Record<string, { missing: boolean; start: () => Promise<Disk> }> = {
  'a window of Chromium': {
    missing: !chromium,
    async start() {
      const profile = await mkdtemp(join(tmpdir(), 'holdfast-full-'));
      const context = await playwright.launchPersistentContext(profile, chromiumOptions);
      return inChromium(context, async () => {
        await context.close();
        await rm(profile, { recursive: true, force: true, maxRetries: 5 });
      });
    },
  },
  'a private window of Chromium': {
    missing: !chromium,
    async start() {
      const browser = await playwright.launch(chromiumOptions);
      return inChromium(await browser.newContext(), () => browser.close());
    },
  },
  Firefox: { missing: !firefox, start: inFirefox },
};

const kept = Array.from({ length: 5 }, (_, nth) => ({ id: `kept ${nth}`, size: 20_000 }));
const ids = kept.map(({ id }) => id);
/** It polls often: a failed write to the store is repeated then. */
const settings = { options: { pollInterval: '500ms' } } as const;

describe.each(Object.entries(disks))('an outbox in %s without room', (_, { missing, start }) => {
  const isMissing = missing && !process.env.CI;
  let site: Site;
  let origin: Origin;
  let disk: Disk;
  let tab: Tab;

  beforeAll(async () => {
    if (isMissing) return;
    disk = await start();
  });
  afterAll(() => disk?.close());
  beforeEach(async () => {
    if (isMissing) return;
    // One for each test: a browser remembers the free space of the test before.
    site = await startSite(script);
    origin = await startOrigin();
    tab = await disk.open(site);
    await tab.call('goOffline');
    await tab.call('begin', { ...settings, origin: origin.url });
    await tab.call('giveInTurn', kept);
    await disk.fill(tab);
    return async () => {
      await disk.makeRoom(tab);
      await tab.call('close');
      await tab.call('remove');
      await origin.close();
      await site.close();
    };
  });
  const here = test.skipIf(isMissing);

  const isRefused = async (): Promise<void> => {
    expect(await tab.call('give', { id: 'too much', size: 1_000_000 })).toEqual({ failed: 'storage' });
    expect((await tab.call('entries')).map(({ id }) => id)).toEqual(ids);
    expect(await tab.call('records')).toMatchObject({ orphans: [], totals: { count: kept.length } });
    expect(await origin.applied()).not.toContain('too much');
  };

  here(
    'a write is rejected and not sent; accepted ones are delivered once, and new ones as soon as there is room',
    async () => {
      await isRefused();
      await tab.call('goOnline');
      const ends = await tab.call('settled', ids);
      expect(ends).toEqual(Object.fromEntries(ids.map((id) => [id, 'delivered'])));
      expect(await origin.applied()).toEqual(ids);
      expect((await origin.ledger()).map(({ seen }) => seen)).toEqual(ids.map(() => 1));
      expect(await tab.call('counts')).toMatchObject({ waiting: 0, deadLetters: 0 });
      await disk.makeRoom(tab);
      expect(await tab.call('give', { id: 'too much', size: 1_000_000 })).toMatchObject({ status: 201 });
      expect(await tab.call('give', { id: 'after' })).toMatchObject({ status: 201 });
      // The total of waiting entries may have had no room; it is right when no entry waits any
      // more.
      await expect.poll(() => tab.call('counts')).toMatchObject({ waiting: 0, count: 0, bytes: 0 });
    },
  );

  here('a write that the origin rejects stays queued until there is room for a dead letter', async () => {
    await origin.behave({ status: 422 });
    await tab.call('goOnline');
    await tab.call('flush');
    const waiting = await tab.call('entries');
    const dead = await tab.call('entries', 'dead-letter');
    expect([...dead, ...waiting].map(({ id }) => id)).toEqual(ids);
    await disk.makeRoom(tab);
    await tab.call('settled', ids);
    expect((await tab.call('entries', 'dead-letter')).map(({ id }) => id)).toEqual(ids);
    expect(await tab.call('counts')).toMatchObject({
      waiting: 0,
      deadLetters: ids.length,
      count: 0,
      bytes: 0,
    });
  });

  here('an undelivered write goes on waiting, and a removed one is gone', async () => {
    await origin.behave({ status: 503 });
    await tab.call('goOnline');
    await tab.call('flush');
    expect((await tab.call('entries')).map(({ id }) => id)).toEqual(ids);
    await tab.call('goOffline');
    for (const id of ids.slice(1)) expect(await tab.call('removeEntry', id)).toBe('ok');
    expect((await tab.call('entries')).map(({ id }) => id)).toEqual(ids.slice(0, 1));
    expect(await tab.call('records')).toMatchObject({ orphans: [] });
    await origin.heal();
    await tab.call('goOnline');
    expect(await tab.call('settled', ids)).toMatchObject({ 'kept 0': 'delivered', 'kept 1': 'removed' });
    expect(await origin.applied()).toEqual(['kept 0']);
  });
});
