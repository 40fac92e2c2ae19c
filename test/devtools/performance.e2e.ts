import { type Browser, type Page, chromium as playwright } from 'playwright';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chromiumOptions } from '../../tools/runtimes/browsers.ts';
import { chromium } from '../../tools/runtimes/installed.ts';
import { type Site, startSite } from './site.ts';

/**
 * The page's thread may not work longer for a frame, in ms of that thread's own time: by the clock another process may have had
 * the processor.
 */
const LIMIT = 50;

interface Trace {
  readonly traceEvents: readonly {
    readonly name: string;
    readonly pid: number;
    readonly tid: number;
    readonly ts: number;
    readonly tdur?: number;
    readonly args?: { readonly name?: string };
  }[];
}

interface Busy {
  readonly events: number;
  readonly seconds: number;
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

  /** The page thread's longest work for one frame, in ms, and the page's view of its frames. */
  async function traced(
    work: () => Promise<unknown> = async () => {},
  ): Promise<{ busy: Busy; longest: number }> {
    await browser.startTracing(page, {
      categories: ['devtools.timeline', 'disabled-by-default-devtools.timeline', '__metadata'],
    });
    const [busy] = await Promise.all([page.evaluate('app.client.run(3_000)') as Promise<Busy>, work()]);
    const { traceEvents } = JSON.parse((await browser.stopTracing()).toString()) as Trace;
    const main = traceEvents.filter(
      ({ name, args }) => name === 'thread_name' && args?.name === 'CrRendererMain',
    );
    const ofPage = traceEvents
      .filter(({ pid, tid }) => main.some((of) => of.pid === pid && of.tid === tid))
      .toSorted((one, other) => one.ts - other.ts);
    const frames = [0];
    // A frame's own task begins before its callbacks do, so what follows them is of the next frame.
    for (const { name, tdur } of ofPage)
      if (name === 'FireAnimationFrame') frames.push(0);
      else if (name === 'RunTask' && tdur) frames.push((frames.pop() ?? 0) + tdur / 1_000);
    expect(frames.length).toBeGreaterThan(30);
    return { busy, longest: Math.max(...frames) };
  }

  test.each(['Calls', 'Outbox', 'Log'])('no frame of the tab %s takes longer than 50 ms', async (tab) => {
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
      `${tab}: ${busy.events} events in ${busy.seconds.toFixed(1)} s, longest frame ${longest.toFixed(1)} ms of work, ${busy.longestFrame} ms by the clock; long tasks by the clock [${busy.longTasks}]`,
    );
    expect(busy.events).toBeGreaterThanOrEqual(3_000);
    expect(longest).toBeLessThan(LIMIT);
  });

  test('no frame takes longer than 50 ms while 10,000 calls are filtered', async () => {
    await page.getByRole('tab', { name: 'Calls' }).click();
    await page.getByLabel('URL', { exact: true }).fill('page=3');
    const { busy, longest } = await traced();
    console.log(
      `Filter: longest frame ${longest.toFixed(1)} ms of work, ${busy.longestFrame} ms by the clock`,
    );
    expect(longest).toBeLessThan(LIMIT);
  });
});
