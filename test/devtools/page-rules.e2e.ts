import { readFile } from 'node:fs/promises';
import axe from 'axe-core';
import { type Browser, type Page, chromium as playwright } from 'playwright';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { chromiumOptions } from '../../tools/runtimes/browsers.ts';
import { chromium } from '../../tools/runtimes/installed.ts';
import { type Site, startSite } from './site.ts';

const TABS = ['Calls', 'Circuits', 'Cache', 'Outbox', 'Log', 'Faults'];

const RULES = ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'];

/** Fills each panel. */
const FILLED = `(async () => {
  await app.get('items?page=1');
  await app.order('tea', { lane: 'orders' });
  await app.order('bad', { lane: 'orders' });
  app.net.set({ origin: location.origin, fault: 'refuse' });
  await app.get('items?page=1');
  await app.order('bread', { lane: 'orders' });
  for (let nth = 0; nth < 6; nth++) await app.get('other?' + nth);
})()`;

describe.skipIf(!chromium && !process.env.CI)('a page in Chromium', () => {
  let site: Site;
  let browser: Browser;
  beforeAll(async () => {
    [site, browser] = await Promise.all([startSite(), playwright.launch(chromiumOptions)]);
  });
  afterAll(() => Promise.all([browser?.close(), site?.close()]));

  async function opened(path: string, options: Parameters<Browser['newContext']>[0] = {}): Promise<Page> {
    const page = await (await browser.newContext(options)).newPage();
    await page.goto(site.url + path);
    await page.waitForFunction('globalThis.app');
    return page;
  }

  async function openDock(page: Page): Promise<void> {
    await page.getByRole('button', { name: /^holdfast/ }).click();
  }

  /** Opens the details of the first row, if the tab has rows. */
  async function select(page: Page): Promise<void> {
    const option = page.getByRole('option').filter({ visible: true }).first();
    if (await option.isVisible()) await option.click();
  }

  test.each(['light', 'dark'] as const)('axe finds nothing, in %s', async (colorScheme) => {
    const page = await opened('/', { colorScheme });
    await page.addScriptTag({ content: axe.source });
    await page.evaluate(FILLED);
    const violations = async (): Promise<string[]> => {
      const found = (await page.evaluate(`axe.run({ runOnly: ${JSON.stringify(RULES)} })`)) as axe.AxeResults;
      return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
    };
    expect(await violations()).toEqual([]);
    await openDock(page);
    for (const tab of TABS) {
      await page.getByRole('tab', { name: tab }).click();
      if (tab === 'Outbox') await page.getByLabel('Entries', { exact: true }).selectOption('dead-letter');
      await expect.poll(() => page.getByRole('tabpanel', { name: tab }).isVisible()).toBe(true);
      if (tab !== 'Faults') await page.getByRole('option').filter({ visible: true }).first().waitFor();
      await select(page);
      expect(await violations(), tab).toEqual([]);
    }
    await page.context().close();
  });

  test('a strict policy with Trusted Types has no violation', async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    const violated: string[] = [];
    page.on('pageerror', ({ message }) => violated.push(message));
    await page.addInitScript(() => {
      Object.assign(globalThis, { violated: [] });
      document.addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) =>
        (globalThis as never as { violated: string[] }).violated.push(`${violatedDirective} ${blockedURI}`),
      );
    });
    await page.goto(`${site.url}/strict`);
    await page.waitForFunction('globalThis.app');
    await page.evaluate(FILLED);
    await openDock(page);
    for (const tab of TABS) {
      await page.getByRole('tab', { name: tab }).click();
      await select(page);
    }
    await page.getByRole('tab', { name: 'Log' }).click();
    const download = page.waitForEvent('download');
    await page.getByRole('button', { name: 'Export' }).click();
    const lines = (await readFile(await (await download).path(), 'utf8')).trim().split('\n');
    expect(lines.map((line) => JSON.parse(line).type)).toContain('call-ended');
    expect(violated).toEqual([]);
    expect(await page.evaluate('violated')).toEqual([]);
    await context.close();
  });

  test('on a phone the dock is a sheet, and nothing is wider than the screen', async () => {
    const page = await opened('/', { viewport: { width: 390, height: 844 } });
    await page.evaluate(FILLED);
    await openDock(page);
    for (const tab of TABS) {
      await page.getByRole('tab', { name: tab }).click();
      await select(page);
      const widths = await page.evaluate(() => {
        const dock = document.querySelector('holdfast-devtools')?.shadowRoot?.querySelector('.dock');
        return [dock?.scrollWidth, dock?.clientWidth, document.documentElement.scrollWidth];
      });
      expect(widths, tab).toEqual([390, 390, 390]);
    }
    await page.getByRole('button', { name: 'Close devtools' }).click();
    const badge = await page.getByRole('button', { name: /^holdfast/ }).boundingBox();
    expect(badge?.x).toBeGreaterThanOrEqual(0);
    expect(badge?.height).toBeGreaterThanOrEqual(40);
    await page.context().close();
  });

  test('the badge shows the state at a glance', async () => {
    const page = await opened('/');
    const badge = page.getByRole('button', { name: /^holdfast/ });
    expect(await badge.textContent()).toBe('holdfast');
    await page.evaluate(FILLED);
    await expect.poll(() => badge.textContent()).toMatch(/circuits? open.*1 waiting.*1 dead letter/);
    await page.context().setOffline(true);
    await expect.poll(() => badge.textContent()).toContain('offline');
    // Announced: what is bad, and not each write that waits.
    const said = await page.getByRole('status').filter({ hasText: 'holdfast:' }).textContent();
    expect(said).toMatch(/offline.*circuit.*dead letter/);
    expect(said).not.toContain('waiting');
    await page.context().close();
  });

  test('a call is copied as curl, with its headers and without secrets', async () => {
    const page = await opened('/');
    await page.context().grantPermissions(['clipboard-read', 'clipboard-write']);
    const headers = { authorization: 'Bearer secret-1', 'x-page': 'two' };
    await page.evaluate(`app.api.get('items?token=hunter2', { headers: ${JSON.stringify(headers)} }).text()`);
    await openDock(page);
    await select(page);
    await page.getByRole('button', { name: 'Copy as curl' }).click();
    await page.getByText('Copy: done').waitFor();
    const copied = await page.evaluate(() => navigator.clipboard.readText());
    expect(copied).toMatch(/^curl -X 'GET' '.*items\?token=…'/);
    expect(copied).toContain("-H 'x-page: two'");
    expect(copied).not.toMatch(/secret-1|hunter2/);
    await page.context().close();
  });

  test('Escape clears a filter before it closes the dock, and leaves a text that is edited', async () => {
    const page = await opened('/');
    await page.evaluate(FILLED);
    await openDock(page);
    const filter = page.getByLabel('URL', { exact: true });
    await filter.fill('items');
    await filter.press('Escape');
    expect(await filter.inputValue()).toBe('');
    await page.getByRole('tab', { name: 'Outbox' }).click();
    await page.getByLabel('Entries', { exact: true }).selectOption('dead-letter');
    await page.getByRole('option').filter({ visible: true }).first().click();
    await page.getByRole('button', { name: 'Edit' }).click();
    const body = page.getByLabel('Body', { exact: true });
    await expect.poll(() => body.inputValue(), { timeout: 60_000 }).toBe('{"item":"bad"}');
    await body.press('Escape');
    expect(await body.inputValue()).toBe('{"item":"bad"}');
    await page.getByRole('tab', { name: 'Outbox' }).press('Escape');
    expect(await page.getByRole('tablist').isVisible()).toBe(false);
    await page.context().close();
  });

  test('the theme can be named by an attribute', async () => {
    const page = await opened('/', { colorScheme: 'light' });
    const back =
      'getComputedStyle(document.querySelector("holdfast-devtools")).getPropertyValue("--back").trim()';
    expect(await page.evaluate(back)).toBe('#ffffff');
    await page.locator('holdfast-devtools').evaluate((element) => element.setAttribute('theme', 'dark'));
    expect(await page.evaluate(back)).toBe('#14171c');
    await page.context().close();
  });

  test('the dock is resized by a pointer, and keeps its height and tab over a reload', async () => {
    const page = await opened('/');
    await openDock(page);
    await page.getByRole('tab', { name: 'Log' }).click();
    const edge = page.getByRole('separator', { name: 'Height of the devtools' });
    const box = await edge.boundingBox();
    const { height } = page.viewportSize() ?? { height: 0 };
    await page.mouse.move(300, (box?.y ?? 0) + 4);
    await page.mouse.down();
    await page.mouse.move(300, height * 0.3);
    await page.mouse.up();
    expect(await edge.getAttribute('aria-valuenow')).toBe('70');
    await page.reload();
    await page.waitForFunction('globalThis.app');
    expect(await edge.getAttribute('aria-valuenow')).toBe('70');
    expect(await page.getByRole('tab', { name: 'Log' }).getAttribute('aria-selected')).toBe('true');
    await page.context().close();
  });

  test('two copies of the library share the devtools of a page', async () => {
    const page = await opened('/two');
    await openDock(page);
    expect(await page.locator('holdfast-devtools').count()).toBe(1);
    const choice = page.getByLabel('Client', { exact: true });
    await expect.poll(() => choice.locator('option').allTextContents()).toEqual(['shop', 'second copy']);
    await choice.selectOption('second copy');
    await expect.poll(() => page.getByText('No call yet').isVisible()).toBe(true);
    await page.context().close();
  });

  test('an element of that name that is not ours is left alone', async () => {
    const context = await browser.newContext();
    const page = await context.newPage();
    await page.addInitScript(() => customElements.define('holdfast-devtools', class extends HTMLElement {}));
    await page.goto(site.url);
    await page.waitForFunction('globalThis.app');
    expect(await page.locator('holdfast-devtools-2').count()).toBe(1);
    await context.close();
  });

  test('a client that is closed while it is shown stays readable, and detaching removes the devtools', async () => {
    const page = await opened('/');
    const failed: string[] = [];
    page.on('pageerror', ({ message }) => failed.push(message));
    await page.evaluate(FILLED);
    await openDock(page);
    await page.getByRole('tab', { name: 'Outbox' }).click();
    await page.evaluate('app.api.close()');
    await page.getByRole('button', { name: 'Flush' }).click();
    await expect.poll(() => page.getByText('Flush failed').isVisible()).toBe(true);
    await page.getByRole('tab', { name: 'Calls' }).click();
    await expect.poll(() => page.getByRole('option').filter({ visible: true }).count()).toBeGreaterThan(5);
    await page.evaluate('app.detach()');
    expect(await page.locator('holdfast-devtools').count()).toBe(0);
    expect(failed).toEqual([]);
    await page.context().close();
  });

  test('hostile URLs, lanes and events are text', async () => {
    const page = await opened('/');
    const html = '<img src=x onerror="document.title=1">';
    await page.evaluate(`app.get(${JSON.stringify(`items?q=${html}`)})`);
    await page.evaluate(
      `app.order('bad', { lane: ${JSON.stringify(html)}, meta: { note: ${JSON.stringify(html)} } })`,
    );
    await page.evaluate(`(() => {
      const client = { subscribe: (listener) => (app.tell = listener, () => {}) };
      app.devtools(client, { name: ${JSON.stringify(html)} });
      app.tell({ type: ${JSON.stringify(html)}, callId: {}, url: 7 });
      app.tell({ type: 'call-started', callId: 'x', method: ${JSON.stringify(html)}, url: 'no url', at: 0 });
      app.tell({ type: 'attempt-started' });
    })()`);
    await openDock(page);
    for (const client of ['shop', html]) {
      await page.getByLabel('Client', { exact: true }).selectOption(client);
      for (const tab of TABS) {
        await page.getByRole('tab', { name: tab }).click();
        await select(page);
      }
    }
    const made =
      'document.querySelector("holdfast-devtools").shadowRoot.querySelectorAll("img, script").length';
    expect(await page.evaluate(made)).toBe(0);
    expect(await page.title()).toBe('An application');
    await page.context().close();
  });

  test('the animations of the dock are off if the user asks for less motion', async () => {
    const page = await opened('/', { reducedMotion: 'reduce' });
    await page.evaluate(FILLED);
    await openDock(page);
    await page.getByRole('tab', { name: 'Outbox' }).click();
    await page.getByRole('row', { name: /^orders/ }).waitFor();
    const running = 'document.querySelector("holdfast-devtools").shadowRoot.getAnimations().length';
    expect(await page.evaluate(running)).toBe(0);
    await page.context().close();
  });
});
