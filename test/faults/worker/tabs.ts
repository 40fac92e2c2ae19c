import { type BrowserContext, chromium as playwright } from 'playwright';
import puppeteer from 'puppeteer-core';
import { chromiumOptions } from '../../../tools/runtimes/browsers.ts';
import { chromium, firefox } from '../../../tools/runtimes/installed.ts';
import type { Page } from './page/main.ts';

// biome-ignore lint/suspicious/noExplicitAny: whatever a page can do
type Doing = Record<string, (...args: any[]) => unknown>;

/** The functions of the page; by default those with the service worker. */
export interface Tab<P extends Doing = Page> {
  call<Name extends keyof P>(name: Name, ...args: Parameters<P[Name]>): Promise<Awaited<ReturnType<P[Name]>>>;
  /** At once, without asking the page. */
  close(): Promise<void>;
}

export interface Browser {
  open<P extends Doing = Page>(url: string): Promise<Tab<P>>;
  /** Wakes the service worker as the browser does for Background Sync; absent if there is none. */
  readonly sync?: (url: string, lastChance?: boolean) => Promise<void>;
  close(): Promise<void>;
}

export const browsers = [
  { name: 'Chromium', missing: chromium ? undefined : 'no Chromium', launch: launchChromium },
  { name: 'Firefox', missing: firefox ? undefined : 'no Firefox', launch: launchFirefox },
];

const CALL = 'return page[arguments[0]](...JSON.parse(arguments[1]))';

type Evaluate = (body: string, ...args: string[]) => Promise<unknown>;

const tabOver = <P extends Doing>(evaluate: Evaluate, close: () => Promise<void>): Tab<P> => ({
  call: (name, ...args) => evaluate(CALL, String(name), JSON.stringify(args)) as never,
  close,
});

async function launchChromium(): Promise<Browser> {
  const running = await playwright.launch(chromiumOptions);
  const context = await running.newContext();
  const sync = await backgroundSync(context);
  return {
    async open<P extends Doing>(url: string) {
      const page = await context.newPage();
      await page.goto(url);
      return tabOver<P>(
        (body, ...args) =>
          page.evaluate(([body, args]) => new Function(body)(...args), [body, args] as const),
        () => page.close(),
      );
    },
    sync,
    close: () => running.close(),
  };
}

/** @returns a function that wakes the service worker of a scope as Chromium does for Background Sync. */
export async function backgroundSync(context: BrowserContext): Promise<NonNullable<Browser['sync']>> {
  // A page that stays, and belongs to no test, for commands to the browser.
  const devtools = await context.newCDPSession(await context.newPage());
  const registrations = new Map<string, string>();
  devtools.on('ServiceWorker.workerRegistrationUpdated', (event) => {
    for (const { registrationId, scopeURL } of event.registrations)
      registrations.set(scopeURL, registrationId);
  });
  await devtools.send('ServiceWorker.enable');
  return async (url, lastChance = false) => {
    await devtools.send('ServiceWorker.dispatchSyncEvent', {
      origin: new URL(url).origin,
      registrationId: registrations.get(url) ?? '',
      tag: 'holdfast-outbox',
      lastChance,
    });
  };
}

async function launchFirefox(): Promise<Browser> {
  const running = await puppeteer.launch({
    browser: 'firefox',
    executablePath: firefox ?? '',
    headless: true,
    timeout: 60_000,
  });
  return {
    async open<P extends Doing>(url: string) {
      const page = await running.newPage();
      await page.goto(url);
      return tabOver<P>(
        (body, ...args) => page.evaluate(new Function(body) as (...args: string[]) => unknown, ...args),
        () => page.close(),
      );
    },
    close: () => running.close(),
  };
}
