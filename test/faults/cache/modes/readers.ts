import { chromium as playwright } from 'playwright';
import { memoryStore } from '../../../../src/stores/memory.ts';
import { chromiumOptions } from '../../../../tools/runtimes/browsers.ts';
import { chromium } from '../../../../tools/runtimes/installed.ts';
import { startSite } from '../../site.ts';
import type { InPage } from './in-page.ts';
import { Page } from './page.ts';
import type { Validators } from './table.ts';

/** A reader from a server that dies, which lives on. */
export interface Reader extends InPage {
  readonly validators: Validators;
  /**
   * From now on as a page that was just loaded, or a client that was just made: with the cached
   * responses from before.
   */
  reload(): Promise<void>;
  close(): Promise<void>;
}

export const readers = [
  { name: 'Node', isMissing: false, start: inNode },
  { name: 'Chromium', isMissing: !chromium && !process.env.CI, start: inChromium },
];

async function inNode(): Promise<Reader> {
  const validators = 'own';
  const store = memoryStore();
  let page = new Page({ validators, store });
  return {
    validators,
    read: (...args) => page.read(...args),
    async reload() {
      await page.close();
      page = new Page({ validators, store });
    },
    close: () => page.close(),
  };
}

async function inChromium(): Promise<Reader> {
  const site = await startSite(new URL('in-page.ts', import.meta.url));
  const browser = await playwright.launch(chromiumOptions);
  const tab = await browser.newPage();
  await tab.goto(site.url);
  return {
    validators: 'platform',
    read: (...args) => tab.evaluate((args) => page.read(...args), args),
    reload: async () => void (await tab.reload()),
    async close() {
      await browser.close();
      await site.close();
    },
  };
}

/** In the tab. */
declare const page: InPage;
