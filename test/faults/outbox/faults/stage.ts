import { afterAll, beforeAll, describe, test } from 'vitest';
import { type Browser, browsers } from '../../cache/browsers.ts';
import { type Site, startSite } from '../../site.ts';
import { type Origin, startOrigin } from './origin.ts';
import type { Page } from './page/main.ts';

/** Calls a function of the page, in its runtime. */
export interface Tab {
  call<Name extends keyof Page>(
    name: Name,
    ...args: Parameters<Page[Name]>
  ): Promise<Awaited<ReturnType<Page[Name]>>>;
}

/** The resources of one test: a site, and with it a database, and an origin. */
export interface Stage {
  readonly site: Site;
  readonly origin: Origin;
  /** Opens the page in a tab of its own. @param query Of its URL. */
  open(query?: string): Promise<Tab>;
  /** The page is loaded again. */
  reload(tab: Tab, query?: string): Promise<Tab>;
}

export const page = new URL('page/main.ts', import.meta.url);

type Play = (stage: Stage) => Promise<void>;

/**
 * In each engine, side by side: their tests mostly wait.
 *
 * @param tests Receives the function that makes a test.
 */
export function inEachBrowser(
  tests: (here: (title: string, play: Play) => void, name: string) => void,
): void {
  for (const { name, missing, launch } of browsers)
    describe(`in ${name}`, { concurrent: true }, () => {
      const isMissing = missing !== undefined && !process.env.CI;
      let browser: Browser;
      beforeAll(async () => {
        if (!isMissing) browser = await launch();
      });
      afterAll(() => browser?.close());
      const here = (title: string, play: Play): void =>
        test(title, { skip: isMissing, concurrent: false }, () => staged(browser, play));
      tests(here, name);
    });
}

async function staged(browser: Browser, play: Play): Promise<void> {
  const site = await startSite(page);
  const origin = await startOrigin();
  const left: Tab[] = [];
  // Its types are those of another page; it calls any function.
  const open = async (query = '') => {
    const tab = (await browser.open(site.url + query)) as unknown as Tab;
    left.push(tab);
    return tab;
  };
  // No tab may be left that could still broadcast.
  const leave = (tab: Tab) => tab.call('leave').catch(() => {});
  const reload = async (tab: Tab, query?: string) => {
    await leave(tab);
    left.splice(left.indexOf(tab), 1);
    return open(query);
  };
  try {
    await play({ site, origin, open, reload });
  } finally {
    for (const tab of left) await leave(tab);
    await origin.close();
    await site.close();
  }
}
