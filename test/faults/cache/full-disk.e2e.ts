import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, type CDPSession, chromium as playwright } from 'playwright';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { chromiumOptions } from '../../runtimes/browsers.ts';
import { chromium } from '../../runtimes/installed.ts';
import { type Site, startSite } from '../site.ts';
import { type Tab, tabIn } from './browsers.ts';
import { type Origin, startOrigin } from './origin.ts';

const gone = { failed: 'network' };

const FULL = ['store-failed', 'cache-discarded'];

/** What Chromium keeps in files of their own, so that their room comes back when they go. */
const older = Array.from({ length: 8 }, (_, nth) => `/older/${nth}?size=100000`);

/** Chromium stores on the disk for the one, in memory for the other, and counts differently. */
const windows = {
  'a window': (profile: string) => playwright.launchPersistentContext(profile, chromiumOptions),
  'a private window': async () => (await playwright.launch(chromiumOptions)).newContext(),
};

describe.skipIf(!chromium && !process.env.CI).each(Object.entries(windows))(
  'in %s with little room',
  (kind, open) => {
    let site: Site;
    let origin: Origin;
    let profile: string;
    let browser: BrowserContext;
    let devtools: CDPSession;
    let tab: Tab;

    beforeAll(async () => {
      profile = await mkdtemp(join(tmpdir(), 'holdfast-full-'));
      browser = await open(profile);
    });
    beforeEach(async () => {
      site = await startSite(new URL('page/main.ts', import.meta.url));
      origin = await startOrigin();
      const page = await browser.newPage();
      devtools = await browser.newCDPSession(page);
      await page.goto(site.url);
      tab = tabIn(page);
      await tab.call('begin', origin.url);
      return async () => {
        await page.close();
        await origin.refuse();
        await site.close();
      };
    });
    afterAll(async () => {
      await browser?.close();
      await browser?.browser()?.close();
      await rm(profile, { recursive: true, force: true, maxRetries: 5 });
    });

    /** @param quotaSize Absent: as much as there is. */
    const allow = (quotaSize?: number) =>
      devtools.send('Storage.overrideQuotaForOrigin', {
        origin: site.url,
        ...(quotaSize !== undefined && { quotaSize }),
      });

    /** What a page that was just loaded has without the network. */
    const afterReload = async (paths: readonly string[]) => {
      await tab.call('begin', origin.url);
      await tab.call('network', 'gone');
      return tab.call('readAll', paths);
    };

    test.each([1, 20_000, 150_000])(
      'of %i bytes, reads go on, and what is not kept is told',
      async (quota) => {
        await allow(quota);
        for (const size of [1_000, 60_000, 200_000, 1_000_000, 1_000]) {
          const fate = await tab.call('keep', `/${size}?size=${size}`);
          expect(['cache-stored', ...FULL]).toContain(fate);
        }
        expect(FULL).toContain(await tab.call('keep', '/large?size=500000'));
        await tab.call('network', 'gone');
        expect(await tab.call('read', '/large?size=500000')).toEqual(gone);

        await allow();
        await tab.call('network', 'up');
        expect(await tab.call('keep', '/large?size=500000')).toBe('cache-stored');
        await tab.call('network', 'gone');
        expect(await tab.call('read', '/large?size=500000')).toMatchObject({ source: 'stale', whole: true });
      },
    );

    test('a quarter of the copies, the oldest, makes room for a new one', async () => {
      await allow(1_000_000);
      for (const path of older) expect(await tab.call('keep', path)).toBe('cache-stored');
      const fate = await tab.call('keep', '/new?size=200000');
      expect(await tab.call('told')).toContain('cache-evicted');
      // In memory Chromium goes on counting for a while what it has just refused.
      if (kind === 'a private window' && FULL.includes(String(fate))) return;
      expect(fate).toBe('cache-stored');

      await tab.call('network', 'gone');
      expect(await tab.call('read', '/new?size=200000')).toMatchObject({ source: 'stale', whole: true });
      const found = await tab.call('readAll', older);
      const there = expect.objectContaining({ source: 'stale', whole: true });
      expect(found).toEqual([gone, gone, there, there, there, there, there, there]);
    });

    test('a body comes whole though the disk is filled in the middle of it', async () => {
      await allow(1_000_000);
      expect(await tab.call('keep', '/before?size=1000')).toBe('cache-stored');
      const half = origin.holdHalfWay();
      const fate = tab.call('keep', '/slow?size=500000');
      await expect.poll(() => half.waiting, { timeout: 10_000 }).toBe(1);
      await tab.call('fillDisk', 800_000);
      half.release();
      expect(FULL).toContain(await fate);

      await allow();
      expect(await tab.call('keep', '/slow?size=500000')).toBe('cache-stored');
    });

    describe('and none is left,', () => {
      beforeEach(async () => {
        await allow(1_500_000);
        for (const path of older) expect(await tab.call('keep', path)).toBe('cache-stored');
        await allow(1);
        // Chromium looks again when what it remembers to be left is too little.
        await expect(tab.call('fillDisk', 2_000_000)).rejects.toThrow('Quota');
      });

      test('what was kept can be cleared all the same', async () => {
        expect(await tab.call('clear', 'ann')).toBe(older.length);
        expect(await afterReload(older)).toEqual(older.map(() => gone));
      });

      test('a write makes its copy unusable all the same', async () => {
        const [path] = older as [string];
        await tab.call('write', path);
        expect(await afterReload([path])).toEqual([gone]);
      });
    });
  },
);
