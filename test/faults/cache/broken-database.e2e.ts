import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { sideBySide } from '../side-by-side.ts';
import { type Site, startSite } from '../site.ts';
import { type Browser, browsers, type Tab } from './browsers.ts';
import { type Origin, startOrigin } from './origin.ts';
import type { Reading } from './page/reading.ts';

const PATH = '/kept?size=20000';
const MANY = Array.from({ length: 100 }, () => PATH);

const NETWORKS = ['gone', 'failing'] as const;
const SPOILT_BY = ['nothing', 'null', 'a list', 'another type'] as const;

const fresh = { status: 200, source: 'network', whole: true };
const cached = { status: 200, source: 'stale', whole: true };
const missed = { failed: 'network' };

sideBySide('in $name', browsers, ({ missing, launch }) => {
  const here = test.skipIf(missing && !process.env.CI);
  let browser: Browser;
  let site: Site;
  let origin: Origin;
  let tab: Tab;
  let other: Tab;

  beforeAll(async () => {
    if (missing && !process.env.CI) return;
    site = await startSite(new URL('page/main.ts', import.meta.url));
    browser = await launch();
    tab = await browser.open(site.url);
    other = await browser.open(site.url);
  });
  beforeEach(async () => {
    origin = await startOrigin();
    await tab.call('begin', origin.url);
    return async () => {
      await tab.call('close');
      await other.call('letGo');
      await other.call('remove');
      await origin.refuse();
    };
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  const keep = async (): Promise<void> => {
    await tab.call('network', 'up');
    expect(await tab.call('keep', PATH)).toBe('cache-stored');
  };

  /** As a page that was just loaded finds it. */
  const readWithout = async (network: 'failing' | 'gone'): Promise<Reading> => {
    await tab.call('begin', origin.url);
    await tab.call('network', network);
    return tab.call('read', PATH);
  };

  /**
   * @returns for each path the reading that is neither the stored response nor the result without a
   * cache.
   */
  const wrongWithout = async (network: 'failing' | 'gone', paths: readonly string[]) => {
    await tab.call('begin', origin.url);
    await tab.call('network', network);
    const readings = await tab.call('readAll', paths);
    return readings.map((reading, nth) => {
      if ('failed' in reading) return reading.failed !== 'network' && reading.failed;
      if (network === 'failing' && reading.status === 503) return false;
      const { status, whole, url } = reading;
      const isCached = status === 200 && whole && url === `${origin.url}${paths[nth]}`;
      return !isCached && JSON.stringify(reading);
    });
  };

  const worksAgain = async (): Promise<void> => {
    await keep();
    expect(await readWithout('gone')).toMatchObject(cached);
  };

  here('a database that is deleted again and again fails no read', async () => {
    await keep();
    const reading = tab.call('readAll', MANY);
    for (let times = 0; times < 10; times++) await other.call('remove');
    for (const each of await reading) expect(each).toMatchObject(fresh);
    await worksAgain();
  });

  here('a site may clear its storage during reads', async () => {
    await keep();
    const reading = tab.call('readAll', MANY);
    await other.call('clearSiteData');
    for (const each of await reading) expect(each).toMatchObject(fresh);
    // A response is stored a moment after its last byte: the last one may still be on its way into the database.
    await tab.call('close');
    await other.call('clearSiteData');
    expect(await readWithout('gone')).toEqual(missed);
    await worksAgain();
  });

  here('a newer version of the page may take the database over', async () => {
    await keep();
    await other.call('holdOpen', 99);
    for (const each of await tab.call('readAll', MANY)) expect(each).toMatchObject(fresh);
    expect(await readWithout('gone')).toEqual(missed);
    expect(await readWithout('failing')).toMatchObject({ status: 503 });
    await other.call('letGo');
    await other.call('remove');
    await worksAgain();
  });

  here('reads do not wait for a database that never opens', async () => {
    await keep();
    await other.call('holdOpen');
    // It waits for the connection that is held open, and all later ones wait for it.
    const removing = other.call('remove');
    for (const each of await tab.call('readAll', MANY)) expect(each).toMatchObject(fresh);
    expect(await readWithout('gone')).toEqual(missed);
    expect(await readWithout('failing')).toMatchObject({ status: 503 });
    expect(await tab.call('emitted')).toContain('store-failed');
    await other.call('letGo');
    await removing;
    await tab.call('begin', origin.url);
    await worksAgain();
  });

  here('a database of another layout is of no use, and no harm', async () => {
    await tab.call('close');
    await other.call('remove');
    await other.call('createEmpty');
    await tab.call('begin', origin.url);
    for (const each of await tab.call('readAll', MANY)) expect(each).toMatchObject(fresh);
    expect(await readWithout('gone')).toEqual(missed);
    expect(await readWithout('failing')).toMatchObject({ status: 503 });
    await tab.call('close');
    await other.call('remove');
    await tab.call('begin', origin.url);
    await worksAgain();
  });

  here('half a record is no response', async () => {
    for (const damage of await other.call('damages')) {
      await keep();
      await tab.call('close');
      await other.call('damage', damage);
      for (const network of NETWORKS) expect(await wrongWithout(network, [PATH]), damage).toEqual([false]);
      await worksAgain();
    }
  });

  here('a record in which anything is missing or of another type is no wrong response', async () => {
    await keep();
    const fields = await other.call('fields');
    const spoilings = fields.flatMap((field) =>
      SPOILT_BY.map((by) => ({ path: `/spoilt${field}/by ${by}/`.replaceAll(' ', '-'), field, by })),
    );
    const paths = spoilings.map(({ path }) => `${path}?size=1000`);
    for (const network of NETWORKS) {
      await tab.call('network', 'up');
      for (const path of paths) expect(await tab.call('keep', path)).toBe('cache-stored');
      await other.call('spoil', spoilings);
      const wrong = (await wrongWithout(network, paths)).map((what, nth) => what && `${paths[nth]}: ${what}`);
      expect(wrong.filter(Boolean)).toEqual([]);
    }
  });
});
