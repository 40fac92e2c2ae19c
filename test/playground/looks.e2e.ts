import axe from 'axe-core';
import { type Browser, type Page, chromium as playwright } from 'playwright';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chromiumOptions } from '../../tools/runtimes/browsers.ts';
import { chromium } from '../../tools/runtimes/installed.ts';
import { type Origin, type Playground, startOrigin, startPlayground } from './processes.ts';

const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

const SIZES = [
  { width: 1280, height: 900 },
  { width: 390, height: 844 },
];

describe.skipIf(!chromium && !process.env.CI)('the page of the playground, in Chromium', () => {
  let origin: Origin;
  let playground: Playground;
  let browser: Browser;
  beforeAll(async () => {
    origin = await startOrigin();
    const ports = ['--origin-port', `${origin.port}`, '--control-port', `${origin.controlPort}`];
    playground = await startPlayground('--no-origin', ...ports);
    browser = await playwright.launch(chromiumOptions);
  });
  afterAll(async () => {
    await browser?.close();
    await playground?.close();
    await origin?.close();
  });

  const button = (page: Page, name: string) => page.getByRole('button', { name, exact: true });

  async function violations(page: Page): Promise<string[]> {
    const found = (await page.evaluate(`axe.run({ runOnly: ${JSON.stringify(RULES)} })`)) as axe.AxeResults;
    return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
  }

  test.each(SIZES.flatMap((size) => (['light', 'dark'] as const).map((theme) => ({ ...size, theme }))))(
    'axe finds nothing in any step of the tour, at $width in $theme',
    async ({ theme, ...viewport }) => {
      const context = await browser.newContext({ viewport, colorScheme: theme });
      const page = await context.newPage();
      await page.goto(playground.url);
      await page.addScriptTag({ content: axe.source });
      const done = page.getByText('done', { exact: true }).filter({ visible: true });
      await button(page, 'Heal').click();
      await page.getByText('live').first().waitFor();
      expect(await violations(page)).toEqual([]);
      await button(page, 'Disconnect').click();
      await expect.poll(() => done.count()).toBe(1);
      await button(page, 'Order Honey').click();
      await expect.poll(() => done.count()).toBe(2);
      expect(await violations(page)).toEqual([]);
      await button(page, 'Heal').click();
      await expect.poll(() => done.count()).toBe(3);
      expect(await violations(page)).toEqual([]);
      await context.close();
    },
  );

  test('on a phone, the faults are in reach everywhere on the page and with the devtools open', async () => {
    const context = await browser.newContext({ viewport: { width: 390, height: 844 }, hasTouch: true });
    const page = await context.newPage();
    await page.goto(playground.url);
    await button(page, 'Heal').click();
    await page.getByText('live').first().waitFor();
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBe(390);

    await page.evaluate('scrollTo(0, document.documentElement.scrollHeight)');
    await page.getByRole('button', { name: /^holdfast/ }).click();
    for (const fault of ['Reject orders', 'Disconnect']) {
      await button(page, fault).tap();
      await expect.poll(() => button(page, fault).getAttribute('aria-pressed')).toBe('true');
    }
    await button(page, 'Heal').tap();
    await expect.poll(() => button(page, 'Disconnect').getAttribute('aria-pressed')).toBe('false');
    await context.close();
  });

  test('the tour can be walked by keyboard', async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.goto(playground.url);
    await page.getByText('live').first().waitFor();
    const press = async (name: string): Promise<void> => {
      for (let nth = 0; (await page.evaluate('document.activeElement.ariaLabel')) !== name; nth++) {
        if (nth > 40) throw new Error(`The Tab key does not reach ${name}`);
        await page.keyboard.press('Tab');
      }
      await page.keyboard.press('Enter');
    };
    await press('Disconnect');
    await page.getByText('The shop goes on').waitFor();
    await press('Order Honey');
    await page.getByText('is in the outbox').waitFor();
    await button(page, 'Heal').focus();
    await page.keyboard.press('Enter');
    await page.getByText('received once, applied once.').first().waitFor();
    await context.close();
  });
});
