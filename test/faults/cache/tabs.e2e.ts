import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { StaleCacheOptions } from '../../../src/index.ts';
import { sideBySide } from '../side-by-side.ts';
import { type Site, startSite } from '../site.ts';
import { type Browser, browsers, type Tab } from './browsers.ts';
import { type Origin, startOrigin } from './origin.ts';
import type { User } from './page/reader.ts';
import type { Reading } from './page/reading.ts';
import { addUp } from './page/roam.ts';

const MODES: readonly StaleCacheOptions[] = [{}, { mode: 'cache-first' }, { mode: 'stale-while-revalidate' }];
const TABS = 4;
const STEPS = 150;
const SEED = Number(process.env.HOLDFAST_SEED ?? 1);

const POLL = { timeout: 60_000 };

const paths = Array.from({ length: 6 }, (_, nth) => `/${nth}?size=${1_000 * 3 ** nth}`);

const wrongIn = (reading: Reading): string =>
  'whole' in reading && reading.whole ? '' : JSON.stringify(reading);

const sourceOf = (reading: Reading): string => ('failed' in reading ? reading.failed : reading.source);

sideBySide('in $name', browsers, ({ name, missing, launch }) => {
  const here = test.skipIf(missing && !process.env.CI);
  let site: Site;
  let browser: Browser;
  let origin: Origin;
  let tabs: Tab[];

  beforeAll(async () => {
    if (missing && !process.env.CI) return;
    site = await startSite(new URL('page/main.ts', import.meta.url));
    browser = await launch();
    tabs = [];
    for (let nth = 0; nth < TABS; nth++) tabs.push(await browser.open(site.url));
  });
  beforeEach(async () => {
    // On a port of its own, so that no cached response of the test before is one of its.
    origin = await startOrigin({ repeats: 3, freshness: 'max-age=1', seed: SEED });
  });
  afterEach(() => origin?.refuse());
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  const begin = (mode: StaleCacheOptions) => inEach((tab) => tab.call('begin', origin.url, mode));
  const inEach = <T>(work: (tab: Tab, nth: number) => Promise<T>): Promise<T[]> =>
    Promise.all(tabs.map(work));
  const sources = async (user: User): Promise<string[]> => {
    await inEach((tab) => tab.call('become', user));
    const readings = await inEach((tab) => tab.call('readAll', paths));
    return [...new Set(readings.flat().map(sourceOf))];
  };

  /** Up, then every other request lost, then down, and so on, during the work. */
  const onFlappingNetwork = async <T>(work: () => Promise<T>): Promise<T> => {
    let changes = 0;
    const flapping = setInterval(() => {
      origin.deafness = (changes++ % 3) / 2;
    }, 50);
    try {
      return await work();
    } finally {
      clearInterval(flapping);
    }
  };

  describe.each(MODES)('tabs with %o', (mode) => {
    here('no user gets the response of another, whatever four tabs do', async () => {
      await begin(mode);
      const roamed = await onFlappingNetwork(() =>
        inEach((tab, nth) => tab.call('roam', { seed: SEED * 10 + nth, steps: STEPS, paths })),
      ).then(addUp);
      console.log(
        `${name}: ${roamed.reads} reads, ${roamed.fromCache} from the cache, ${roamed.wrong.length} wrong`,
      );
      expect(roamed.wrong).toEqual([]);
      // By default only reads of a lost network have a cached response: in a slow engine perhaps none.
      if (mode.mode) expect(roamed.fromCache).toBeGreaterThan(0);
    });

    here('a response that one tab clears is served in none', async ({ expect }) => {
      await begin(mode);
      for (const user of ['ann', 'bob'] as const) await sources(user);
      origin.deafness = 1;
      for (const user of ['ann', 'bob'] as const)
        await expect.poll(() => sources(user), POLL).not.toContain('network');

      await tabs[0]?.call('clear', 'ann');
      await expect.poll(() => sources('ann'), POLL).toEqual(['network']);
      expect(await sources('bob')).not.toContain('network');
    });

    here('a request from before another tab’s clear is not stored after it', async ({ expect }) => {
      const [clearing, reading] = tabs as [Tab, Tab];
      await begin(mode);
      const half = origin.holdHalfWay();
      const late = reading.call('read', '/late?size=300000');
      await expect.poll(() => half.waiting, POLL).toBe(1);
      await clearing.call('clear', 'ann');
      half.release();
      expect(await late).toMatchObject({ user: 'ann', whole: true });

      expect(await reading.call('keep', '/later?size=1000')).toBe('cache-stored');
      await inEach((tab) => tab.call('network', 'gone'));
      expect(await inEach((tab) => tab.call('read', '/late?size=300000'))).toEqual(
        tabs.map(() => ({ failed: 'network' })),
      );
    });

    here('a cached response is found while another tab replaces it', async () => {
      const [writing, reading] = tabs as [Tab, Tab];
      const [path] = paths as [string];
      await begin(mode);
      expect(await writing.call('keep', path)).toBe('cache-stored');
      await reading.call('network', 'gone');
      const often = Array.from({ length: 100 }, () => path);
      const [, readings] = await Promise.all([writing, reading].map((tab) => tab.call('readAll', often)));
      expect(readings?.map(wrongIn).filter(Boolean)).toEqual([]);
    });

    here('a response that several tabs read at once is stored whole', async ({ expect }) => {
      const [tab] = tabs as [Tab];
      await begin(mode);
      for (let times = 1; times <= 3; times++) {
        const path = `/large/${times}?size=2000000`;
        const readings = await tab.call('readAtOnce', [path, path, path, path]);
        expect(readings.map(wrongIn).filter(Boolean)).toEqual([]);
        await expect.poll(() => tab.call('emitted'), POLL).toContain('cache-stored');
        await tab.call('begin', origin.url, mode);
        await tab.call('network', 'gone');
        expect(wrongIn(await tab.call('read', path))).toBe('');
        await tab.call('begin', origin.url, mode);
      }
    });
  });
});
