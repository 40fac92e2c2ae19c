import type { KyInstance } from 'ky';
import { type Browser, chromium, type Page } from 'playwright';
import { afterAll, beforeAll, beforeEach, test } from 'vitest';
import { chromiumOptions } from '../../tools/runtimes/browsers.ts';
import { chromium as program } from '../../tools/runtimes/installed.ts';
import { type Site, startSite } from '../faults/site.ts';
import { type Shop, startShop } from './origin.ts';

/** The browser context of one test of a page. */
export interface Visit {
  readonly shop: Shop;
  /** Opens the page, in a browser that remembers what the pages before it have stored. */
  open(query?: Readonly<Record<string, string>>): Promise<Page>;
}

const missing = program ? undefined : 'no Chromium';

export const inChromium = test.skipIf(missing !== undefined && !process.env.CI);

/**
 * Serves a page to a Chromium of its own.
 *
 * @param script The page's.
 * @param worker Its service worker's.
 */
export function visits(script: URL, worker?: URL): () => Visit {
  let site: Site;
  let browser: Browser;
  let visit: Visit;
  beforeAll(async () => {
    if (missing && !process.env.CI) return;
    site = await startSite(script, undefined, worker, 'development');
    browser = await chromium.launch(chromiumOptions);
  });
  beforeEach(async () => {
    const shop = await startShop();
    const context = await browser?.newContext();
    visit = {
      shop,
      async open(query) {
        const page = await context.newPage();
        await page.goto(`${site.url}?${new URLSearchParams({ origin: shop.url, ...query })}`);
        return page;
      },
    };
    return async () => {
      await context?.close();
      await shop.close();
    };
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });
  return () => visit;
}

/**
 * The cached response of a path. A page that is reloaded before the response it shows has been stored finds the one before.
 */
export const cached = (page: Page, path: string) => (): Promise<string> =>
  page.evaluate((path) => {
    const { shop } = globalThis as unknown as { shop: { api: KyInstance } };
    return shop.api.get(path, { cache: 'force-cache' }).text();
  }, path);

export const textOf = (page: Page, id: string) => (): Promise<string> => page.innerText(`#${id}`);
