import { chromium as playwrightChromium } from 'playwright';
import puppeteer from 'puppeteer-core';
import { chromium, firefox } from './installed.ts';
import { launchWebKit } from './webkit.ts';

/** As little of a browser as running a page in it takes. */
export interface Browser {
  open(url: string): Promise<void>;
  close(): Promise<void>;
}

/** For Playwright and Vitest alike. These keep Chromium off the network and out of sandboxes that containers lack. */
export const chromiumOptions = {
  ...(chromium && { executablePath: chromium }),
  args: [
    '--no-sandbox',
    '--disable-gpu',
    '--disable-quic',
    '--no-first-run',
    '--disable-background-networking',
    '--disable-component-update',
    '--disable-sync',
  ],
};

export const launch = {
  async chromium(): Promise<Browser> {
    const browser = await playwrightChromium.launch(chromiumOptions);
    return {
      async open(url) {
        await (await browser.newPage()).goto(url, { waitUntil: 'domcontentloaded' });
      },
      close: () => browser.close(),
    };
  },

  // Playwright has a Firefox of its own only; Puppeteer speaks WebDriver BiDi, which every Firefox does.
  async firefox(): Promise<Browser> {
    if (!firefox) throw new Error('There is no Firefox here');
    const browser = await puppeteer.launch({
      browser: 'firefox',
      executablePath: firefox,
      headless: true,
      timeout: 60_000,
    });
    return {
      async open(url) {
        await (await browser.newPage()).goto(url, { waitUntil: 'domcontentloaded' });
      },
      close: () => browser.close(),
    };
  },

  webkit: launchWebKit as () => Promise<Browser>,
};
