import { type Browser, type Page, chromium as playwright } from 'playwright';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { chromiumOptions } from '../../tools/runtimes/browsers.ts';
import { chromium } from '../../tools/runtimes/installed.ts';
import { type Site, startSite } from './site.ts';

/** The panel is all that these tests read: it states each cause in words. */
describe.skipIf(!chromium && !process.env.CI)('with the panel alone, in Chromium', () => {
  let site: Site;
  let browser: Browser;
  let page: Page;
  beforeAll(async () => {
    [site, browser] = await Promise.all([startSite(), playwright.launch(chromiumOptions)]);
  });
  afterAll(() => Promise.all([browser?.close(), site?.close()]));
  beforeEach(async () => {
    page = await (await browser.newContext()).newPage();
    await page.goto(site.url);
    await page.waitForFunction('globalThis.app');
    await page.getByRole('button', { name: /^holdfast/ }).click();
  });
  afterEach(() => page?.context().close());

  const run = (code: string): Promise<unknown> => page.evaluate(`(async () => { ${code} })()`);
  const breakIt = (fault: string): Promise<unknown> =>
    run(`app.net.set({ origin: '*', fault: '${fault}', retryAfter: 30 });`);
  const sees = (text: string | RegExp): Promise<void> =>
    expect
      .poll(() => page.getByRole('region', { name: 'holdfast devtools' }).innerText(), { timeout: 60_000 })
      .toMatch(text);
  const tab = (name: string): Promise<void> => page.getByRole('tab', { name }).click();
  const select = (name: string | RegExp): Promise<void> =>
    page.getByRole('option', { name }).filter({ visible: true }).first().click();

  describe('old data', () => {
    /** Reads it while all is well. */
    async function read(): Promise<void> {
      await run("await app.get('items?page=1');");
      await tab('Cache');
      await sees('items?page=1');
    }

    /** The texts of the tabs Cache and Calls about `items?page=1`. */
    async function says(inRow: string, why: string): Promise<void> {
      await tab('Cache');
      await sees(`: ${inRow}`);
      await select('items?page=1');
      await sees(why);
      await tab('Calls');
      await select(/items\?page=1 (stale|cache)/);
      await sees(why);
    }

    test.each([
      ['refuse', 'network', 'The origin could not be reached (network).'],
      ['error-500', 'status 500', 'The origin responded with status 500.'],
      ['hang', 'silence', 'The origin was silent for longer than respondAfter (silence).'],
    ])('the panel shows why data is old: the origin is down, %s', async (fault, inRow, why) => {
      await read();
      await breakIt(fault);
      await run("await app.get('items?page=1');");
      await says(inRow, why);
    });

    test('the panel shows why data is old: the circuit is open', async () => {
      await read();
      await breakIt('refuse');
      await run("for (let nth = 0; nth < 10; nth++) await app.get('items?page=1');");
      await says('circuit-open', 'The circuit of the origin is open: nothing was sent (circuit-open).');
      await tab('Circuits');
      await select('open');
      await sees(/Nothing is sent[\s\S]+Because of\s+network/);
    });

    test('the panel shows why data is old: the browser is offline', async () => {
      await read();
      await page.context().setOffline(true);
      await run("await app.get('items?page=1');");
      await says('offline', 'The browser is offline: nothing can be sent.');
    });

    test('the panel shows why data is old: the server allows it: max-age', async () => {
      await read();
      await run("await app.get('items?page=1', { staleCache: { mode: 'cache-first' } });");
      await says('fresh', 'It is fresh: by its headers the origin allows it without a request (max-age).');
      await tab('Cache');
      await sees(/Freshness\s+.* old, fresh for \d+/);
    });

    test('the panel shows why data is old: it is of another partition than the newer one', async () => {
      await page.goto(`${site.url}/?users`);
      await page.waitForFunction('globalThis.app');
      await run(
        "await app.get('items?page=1'); app.signIn('bob'); await app.get('items?page=1'); app.signIn('ann');",
      );
      await tab('Cache');
      await sees(/(items\?page=1[\s\S]+){2}/);
      await breakIt('refuse');
      await run("await app.get('items?page=1');");
      await tab('Cache');
      await select(/items\?page=1 ann/);
      await sees(/Newer response\s+Partition bob has a response stored .* later. Partitions share nothing/);
      await select(/items\?page=1 bob/);
      await sees(/Partition\s+bob/);
      expect(await page.getByText('Newer response').isVisible()).toBe(false);
    });
  });

  describe('an order that was not sent', () => {
    const order = (item: string, more = '{}'): Promise<unknown> =>
      run(`await app.order('${item}', { lane: 'orders', meta: { item: '${item}' }, ...${more} });`);

    /** The text of the tab Outbox about the last entry of its list. */
    async function says(inRow: string | RegExp, why: string | RegExp): Promise<void> {
      await tab('Outbox');
      await page.getByRole('option', { name: inRow }).filter({ visible: true }).last().click();
      await sees(why);
    }

    test('the panel shows why an order was not sent: the browser is offline', async () => {
      await page.context().setOffline(true);
      await order('tea');
      await says('offline', /Why\s+The browser is offline: nothing can be sent\./);
    });

    test('the panel shows why an order was not sent: the origin refused the credentials', async () => {
      await order('stranger');
      await says('paused', /Why\s+The origin refused the credentials \(status 401\)/);
      await sees(/1 waiting, 0 dead, paused/);
    });

    test('the panel shows why an order was not sent: the origin asked to wait', async () => {
      await breakIt('error-429');
      await order('tea');
      await says(
        /next try in \d+\.\d s/,
        /The origin responded with status 429. It asked to wait \(Retry-After\)\.[\s\S]+Next try\s+\d\d:\d\d/,
      );
    });

    test('the panel shows why an order was not sent: the origin could not be reached', async () => {
      await breakIt('refuse');
      await order('tea');
      await says('orders', /Why\s+The origin could not be reached \(network\)/);
    });

    test('the panel shows why an order was not sent: the circuit is open', async () => {
      await run('app.circuits.isolate(location.origin);');
      await order('tea');
      await says('orders', /Why\s+The circuit of the origin is open: nothing was sent/);
      await tab('Calls');
      await sees(/POST\s*\/api\/orders[\s\S]+circuit-open/);
    });

    test('the panel shows why an order was not sent: the origin refused it for good', async () => {
      await order('bad');
      await tab('Outbox');
      await page.getByLabel('Entries', { exact: true }).selectOption('dead-letter');
      await says(
        'status 422',
        /The origin refused it with status 422. It is not sent again unless you replay it/,
      );
      await sees('is no item');
    });

    test('the panel shows why an order was not sent: another entry of its lane is sent first', async () => {
      await breakIt('error-429');
      await order('tea', "{ id: 'the-first' }");
      await order('bread');
      await says(
        'behind another',
        /The lane keeps its order: POST \/api\/orders \(the-first\) is sent first. The origin responded with status 429/,
      );
    });

    test('the panel shows why an order was not sent: a dead letter stops its lane', async () => {
      await order('bad', "{ id: 'the-first', blockLaneOnFailure: true }");
      await order('bread');
      await says('lane stopped', 'The dead letter the-first stops the lane. Replay that one, or remove it.');
      await sees('orders (stopped by the-first)');
    });

    test('the panel shows why an order was not sent: the application has paused the lane, or the outbox', async () => {
      await run("await app.box.pause({ lane: 'orders' });");
      await order('tea');
      await says('lane paused', 'The lane is paused: nothing of it is sent until you resume it.');
      await run('await app.box.pause();');
      await says('paused', 'The outbox is paused: nothing is sent until you resume it.');
    });

    test('the panel shows why an order was not sent: a newer version of the application has taken over', async () => {
      await breakIt('refuse');
      await order('tea');
      await run(`const { promise, resolve, reject } = Promise.withResolvers();
        const opening = indexedDB.open('holdfast-outbox', 99);
        opening.onsuccess = () => (opening.result.close(), resolve());
        opening.onerror = reject;
        await promise;`);
      await order('bread');
      await tab('Outbox');
      await page.getByRole('button', { name: 'Flush' }).click();
      await sees(
        'A newer version of the application has taken over the outbox: this page sends nothing until it is',
      );
    });
  });
});
