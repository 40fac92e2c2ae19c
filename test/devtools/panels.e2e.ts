import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { browsers, type Hands } from './hands.ts';
import { type Site, startSite } from './site.ts';

let site: Site;
beforeAll(async () => {
  site = await startSite();
});
afterAll(() => site?.close());

const sees = (hands: Hands, text: string | RegExp): Promise<void> =>
  expect.poll(() => hands.text(), { timeout: 30_000, interval: 100 }).toMatch(text);

describe.each(browsers)('in $name', ({ missing, launch }) => {
  let hands: Hands;
  beforeAll(async () => {
    if (!missing || process.env.CI) hands = await launch();
  });
  afterAll(() => hands?.close());

  async function openApp(): Promise<void> {
    const loaded = async (): Promise<void> => {
      await hands.open(`${site.url}/strict`);
      await expect.poll(() => hands.run('return Boolean(globalThis.app)')).toBe(true);
    };
    await loaded();
    const emptied = "app.cache.clear().then(() => app.box.clear({ partition: 'public' }))";
    await hands.run(`localStorage.clear(); return ${emptied}.then(() => true);`);
    await loaded();
  }

  test.skipIf(missing && !process.env.CI)('all can be reached by keyboard', async () => {
    await openApp();
    await hands.run("return app.get('items?page=1').then(() => app.get('items?page=2'));");
    await hands.run(
      "document.querySelector('holdfast-devtools').shadowRoot.querySelector('.badge').focus();",
    );
    await hands.press('Enter');
    expect(await hands.focused()).toBe('tab Calls');
    await sees(hands, '2 calls');

    await hands.press('ArrowRight');
    expect(await hands.focused()).toBe('tab Circuits');
    await hands.press('End');
    expect(await hands.focused()).toBe('tab Faults');
    await hands.press('ArrowRight');
    expect(await hands.focused()).toBe('tab Calls');

    await hands.run(
      "document.querySelector('holdfast-devtools').shadowRoot.querySelector('[role=listbox]').focus();",
    );
    await hands.press('ArrowDown');
    await hands.press('End');
    await sees(hands, /GET http\S+page=1[\s\S]*attempt 1: status 200/);
    await hands.click('button', 'Close details');
    expect(await hands.focused()).toBe('listbox Calls, newest first');

    await hands.run(
      "document.querySelector('holdfast-devtools').shadowRoot.querySelector('.resize').focus();",
    );
    const height = "return root.querySelector('.resize').getAttribute('aria-valuenow');";
    const inRoot = `const root = document.querySelector('holdfast-devtools').shadowRoot; ${height}`;
    const before = Number(await hands.run(inRoot));
    await hands.press('ArrowUp');
    expect(Number(await hands.run(inRoot))).toBe(before + 5);
    await hands.press('Escape');
    expect(await hands.focused()).toBe('button holdfast');
  });

  test.skipIf(missing && !process.env.CI)('the panel says why a page shows old data', async () => {
    await openApp();
    await hands.run("return app.get('items?page=1');");
    await hands.click('button', 'holdfast');
    await hands.click('tab', 'Faults');
    await hands.fill('Fault', 'refuse');
    await hands.click('button', 'Break it');
    await sees(hands, 'every origin');
    await hands.run("return app.get('items?page=1');");

    await hands.click('tab', 'Calls');
    await sees(hands, /(cache|stale) 200/);
    await hands.click('tab', 'Cache');
    await sees(hands, /served (cache|stale): network/);
    await hands.click('option', 'items?page=1');
    await sees(hands, /Served because\s+The origin could not be reached \(network\)/);
    await hands.click('button', 'Delete');
    await sees(hands, 'The cache is empty.');
  });

  test.skipIf(missing && !process.env.CI)(
    'the panel says why an order was not sent, and mends it',
    async () => {
      await openApp();
      await hands.click('button', 'holdfast');
      await hands.run("return app.order('bad', { lane: 'orders' });");
      await sees(hands, '1 dead letter');
      await hands.click('tab', 'Outbox');
      await hands.fill('Entries', 'dead-letter');
      await sees(hands, 'status 422');
      await hands.click('option', 'orders');
      // A hostile problem is text, and nothing else.
      await sees(hands, '<img src=x onerror=alert(1)> is no item');
      expect(
        await hands.run(
          "return document.querySelector('holdfast-devtools').shadowRoot.querySelectorAll('img, script').length;",
        ),
      ).toBe(0);

      await hands.click('button', 'Edit');
      await sees(hands, 'Save and replay');
      await hands.fill('Body', '{"item":"good"}');
      await hands.click('button', 'Save and replay');
      await sees(hands, 'There is no dead letter.');
      await sees(hands, /0 waiting, 0 dead/);

      await hands.run(
        "app.net.set({ origin: '*', fault: 'refuse' }); return app.order('tea', { lane: 'orders' });",
      );
      await sees(hands, /1 waiting, 0 dead/);
      await hands.fill('Entries', 'waiting');
      await sees(hands, 'orders');
      await hands.click('option', 'orders');
      await hands.click('button', 'Remove');
      await sees(hands, /0 waiting, 0 dead/);
    },
  );

  test.skipIf(missing && !process.env.CI)('circuits can be isolated and reset', async () => {
    await openApp();
    await hands.click('button', 'holdfast');
    await hands.run("return app.get('items?page=9');");
    await hands.run('app.circuits.isolate(location.origin);');
    await sees(hands, '1 circuit open');
    await hands.click('tab', 'Circuits');
    await hands.click('option', 'isolated');
    await sees(hands, 'Nothing is sent until you reset it.');
    await hands.click('button', 'Reset');
    await sees(hands, 'Calls go through.');
  });
});
