import { existsSync } from 'node:fs';
import { type Browser, type Page, chromium as playwright } from 'playwright';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chromiumOptions } from '../../tools/runtimes/browsers.ts';
import { chromium } from '../../tools/runtimes/installed.ts';
import { type StaticSite, serveFolder } from './static-site.ts';

/** `npm run docs` builds it; CI does so before the tests. */
const BUILT = 'docs/.vitepress/dist';

describe.skipIf((!chromium || !existsSync(BUILT)) && !process.env.CI)('the documentation site', () => {
  let site: StaticSite;
  let browser: Browser;
  beforeAll(async () => {
    [site, browser] = await Promise.all([serveFolder(BUILT), playwright.launch(chromiumOptions)]);
  });
  afterAll(() => Promise.all([browser?.close(), site?.close()]));

  const region = (page: Page, name: string) => page.getByRole('region', { name, exact: true });

  test.each(['Playground', 'Break a shop’s network'])(
    'its link "%s" leads to a playground that needs no server but the one for files',
    async (link) => {
      const context = await browser.newContext();
      const page = await context.newPage();
      const failed: string[] = [];
      page.on('pageerror', ({ message }) => failed.push(message));
      await page.goto(site.url);
      await page.getByRole('link', { name: link, exact: true }).first().click();
      await page.waitForURL(`${site.url}/playground/`);

      await region(page, 'On the shelf').getByText('live', { exact: true }).waitFor();
      await page.getByRole('button', { name: 'Disconnect', exact: true }).click();
      await region(page, 'On the shelf')
        .getByText(/saved copy, \d+ s old/)
        .waitFor();
      await page.getByRole('button', { name: 'Order Honey', exact: true }).click();
      await region(page, 'Orders').getByText('1 waiting.').waitFor();
      await page.getByRole('button', { name: 'Heal', exact: true }).click();
      await region(page, 'A tour in three steps')
        .getByText('1 × honey, received once, applied once')
        .waitFor();

      expect(failed).toEqual([]);
      expect(site.missed).toEqual([]);
      await context.close();
    },
  );
});
