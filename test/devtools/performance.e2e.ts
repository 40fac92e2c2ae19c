import { type Browser, type Page, chromium as playwright } from 'playwright';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chromiumOptions } from '../runtimes/browsers.ts';
import { chromium } from '../runtimes/installed.ts';
import { type Site, startSite } from './site.ts';

/** No task on the page's thread may take longer, in ms of that thread's own time: another process may have the processor. */
const LIMIT = 50;

interface Trace {
  readonly traceEvents: readonly {
    readonly name: string;
    readonly pid: number;
    readonly tid: number;
    readonly dur?: number;
    readonly tdur?: number;
    readonly args?: { readonly name?: string };
  }[];
}

interface Busy {
  readonly events: number;
  readonly longestFrame: number;
  readonly longTasks: readonly number[];
}

describe.skipIf(!chromium && !process.env.CI)('with 1,000 events a second and 10,000 entries', () => {
  let site: Site;
  let browser: Browser;
  let page: Page;
  beforeAll(async () => {
    [site, browser] = await Promise.all([startSite(), playwright.launch(chromiumOptions)]);
    page = await browser.newPage();
    await page.goto(site.url);
    await page.waitForFunction('globalThis.app');
    await page.evaluate('(() => { app.client = app.busy(); app.client.fill(); })()');
    await page.getByRole('button', { name: /^holdfast/ }).click();
    await page.getByLabel('Client', { exact: true }).selectOption('busy');
  });
  afterAll(() => Promise.all([browser?.close(), site?.close()]));

  /** The longest tasks of the page's thread, and what the page saw of frames. */
  async function traced(
    work: () => Promise<unknown> = async () => {},
  ): Promise<{ busy: Busy; longest: number }> {
    await browser.startTracing(page, {
      categories: ['toplevel', 'disabled-by-default-devtools.timeline', '__metadata'],
    });
    const [busy] = await Promise.all([page.evaluate('app.client.run(3000)') as Promise<Busy>, work()]);
    const { traceEvents } = JSON.parse((await browser.stopTracing()).toString()) as Trace;
    const main = traceEvents.filter(
      ({ name, args }) => name === 'thread_name' && args?.name === 'CrRendererMain',
    );
    const tasks = traceEvents.filter(
      ({ name, pid, tid, tdur }) =>
        /RunTask/.test(name) && tdur !== undefined && main.some((of) => of.pid === pid && of.tid === tid),
    );
    expect(tasks.length).toBeGreaterThan(100);
    return { busy, longest: Math.max(...tasks.map(({ tdur = 0 }) => tdur)) / 1_000 };
  }

  test.each(['Calls', 'Outbox', 'Log'])('no task of the tab %s takes longer than 50 ms', async (tab) => {
    await page.getByRole('tab', { name: tab }).click();
    await page.getByRole('option').filter({ visible: true }).first().waitFor();
    const list = page.getByRole('listbox').filter({ visible: true });
    const { busy, longest } = await traced(async () => {
      await list.focus();
      // Through all of them, while they change.
      for (const key of ['End', 'PageUp', 'Home', 'PageDown', 'End']) await page.keyboard.press(key);
      await list.evaluate((element) => element.scrollTo(0, 100_000));
    });
    console.log(
      `${tab}: ${busy.events} events in 3 s, longest task ${longest.toFixed(1)} ms, longest frame ${busy.longestFrame} ms, long tasks by the clock [${busy.longTasks}]`,
    );
    expect(busy.events).toBeGreaterThan(2_500);
    expect(longest).toBeLessThan(LIMIT);
  });

  test('so does none while 10,000 calls are filtered', async () => {
    await page.getByRole('tab', { name: 'Calls' }).click();
    await page.getByLabel('URL', { exact: true }).fill('page=3');
    const { busy, longest } = await traced();
    console.log(`Filter: longest task ${longest.toFixed(1)} ms, longest frame ${busy.longestFrame} ms`);
    expect(longest).toBeLessThan(LIMIT);
  });
});
