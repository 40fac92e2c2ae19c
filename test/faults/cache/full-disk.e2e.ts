import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, type CDPSession, chromium as playwright } from 'playwright';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { chromiumOptions } from '../../../tools/runtimes/browsers.ts';
import { chromium } from '../../../tools/runtimes/installed.ts';
import { type Site, startSite } from '../site.ts';
import { type Tab, tabIn } from './browsers.ts';
import { type Origin, startOrigin } from './origin.ts';

const gone = { failed: 'network' };

const FULL = ['store-failed', 'cache-discarded'];

/** Sizes that Chromium keeps in files of their own, so that their space is free after deletion. */
const older = Array.from({ length: 8 }, (_, nth) => `/older/${nth}?size=100000`);

/** Chromium stores on the disk for the one, in memory for the other, and counts differently. */
const windows = {
  'a window': (profile: string) => playwright.launchPersistentContext(profile, chromiumOptions),
  'a private window': async () => (await playwright.launch(chromiumOptions)).newContext(),
};

describe.skipIf(!chromium && !process.env.CI).each(Object.entries(windows))(
  'a cache with a small quota, in %s',
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

    /** @param quotaSize Absent: the whole disk. */
    const allow = (quotaSize?: number) =>
      devtools.send('Storage.overrideQuotaForOrigin', {
        origin: site.url,
        ...(quotaSize !== undefined && { quotaSize }),
      });

    /** The responses of a page that was just loaded, without the network. */
    const afterReload = async (paths: readonly string[]) => {
      await tab.call('begin', origin.url);
      await tab.call('network', 'gone');
      return tab.call('readAll', paths);
    };

    test.each([1, 20_000, 150_000])(
      'reads go on with a quota of %i bytes, and an event reports each response that is not stored',
      async (quota) => {
        await allow(quota);
        for (const size of [1_000, 60_000, 200_000, 1_000_000, 1_000]) {
          const outcome = await tab.call('keep', `/${size}?size=${size}`);
          expect(['cache-stored', ...FULL]).toContain(outcome);
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

    test('a quarter of the cached responses, the oldest, makes room for a new one', async () => {
      await allow(1_000_000);
      for (const path of older) expect(await tab.call('keep', path)).toBe('cache-stored');
      const outcome = await tab.call('keep', '/new?size=200000');
      expect(await tab.call('emitted')).toContain('cache-evicted');
      // In memory Chromium goes on counting for a while a write that it has just rejected.
      if (kind === 'a private window' && FULL.includes(String(outcome))) return;
      expect(outcome).toBe('cache-stored');

      await tab.call('network', 'gone');
      expect(await tab.call('read', '/new?size=200000')).toMatchObject({ source: 'stale', whole: true });
      const found = await tab.call('readAll', older);
      const there = expect.objectContaining({ source: 'stale', whole: true });
      expect(found).toEqual([gone, gone, there, there, there, there, there, there]);
    });

    test('a body arrives whole though the disk becomes full in the middle of it', async () => {
      await allow(1_000_000);
      expect(await tab.call('keep', '/before?size=1000')).toBe('cache-stored');
      const half = origin.holdHalfWay();
      const outcome = tab.call('keep', '/slow?size=500000');
      await expect.poll(() => half.waiting, { timeout: 60_000 }).toBe(1);
      await tab.call('fillDisk', 800_000);
      half.release();
      expect(FULL).toContain(await outcome);

      await allow();
      expect(await tab.call('keep', '/slow?size=500000')).toBe('cache-stored');
    });

    describe('a cache without any quota', () => {
      beforeEach(async () => {
        await allow(1_500_000);
        for (const path of older) expect(await tab.call('keep', path)).toBe('cache-stored');
        await allow(1);
        // Chromium looks again when its last value is too small.
        await expect(tab.call('fillDisk', 2_000_000)).rejects.toThrow('Quota');
      });

      test('cached responses can be cleared without any quota', async () => {
        expect(await tab.call('clear', 'ann')).toBe(older.length);
        expect(await afterReload(older)).toEqual(older.map(() => gone));
      });

      test('a write invalidates its cached response without any quota', async () => {
        const [path] = older as [string];
        await tab.call('write', path);
        expect(await afterReload([path])).toEqual([gone]);
      });
    });
  },
);
