import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { sideBySide } from '../side-by-side.ts';
import { type Site, startSite } from '../site.ts';
import { type Origin, startOrigin } from './origin.ts';
import { type Browser, browsers, type Tab } from './tabs.ts';

sideBySide('a page with its own fetch, in $name', browsers, ({ missing, launch }) => {
  const here = test.skipIf(missing !== undefined && !process.env.CI);
  let site: Site;
  let origin: Origin;
  let browser: Browser;
  let tab: Tab;

  const plain = (path: string, init?: RequestInit): Promise<string> =>
    tab.call('plain', `${origin.url}${path}`, init);

  beforeAll(async () => {
    site = await startSite(
      new URL('page/main.ts', import.meta.url),
      undefined,
      new URL('page/worker.ts', import.meta.url),
    );
    if (missing && !process.env.CI) return;
    browser = await launch();
    tab = await browser.open(site.url);
    await tab.call('ready');
    await tab.call('signIn', 'ann');
  });
  beforeEach(async () => {
    origin = await startOrigin();
    return () => origin.close();
  });
  afterAll(async () => {
    await browser?.close();
    await site?.close();
  });

  here(
    'a page without the library gets the last cached response of a listed route, and of no other, when the origin is gone',
    async ({ expect }) => {
      const [orders, others] = [await plain('/orders'), await plain('/others')];
      expect([orders, others]).toEqual([expect.stringMatching(/^200 /), expect.stringMatching(/^200 /)]);
      // No response waits for the disk: it is stored a moment after its last byte.
      await expect.poll(() => tab.call('stored'), { timeout: 60_000, interval: 20 }).toEqual(['/orders']);
      await origin.vanish();
      expect(await plain('/orders')).toBe(orders);
      expect(await plain('/others')).toBe('TypeError');
      expect(await plain('/orders', { headers: { range: 'bytes=0-1' } })).toBe('TypeError');
      expect(await plain('/orders', { mode: 'no-cors' })).toBe('TypeError');
    },
  );

  here(
    'the worker queues writes of a page without the library if the route says so, and no others',
    async ({ expect }) => {
      await origin.vanish();
      expect(await plain('/orders', { method: 'POST', body: 'not asked for' })).toBe('TypeError');
      expect(await plain('/kept/1', { method: 'POST', body: 'asked for' })).toMatch(/^202 {"queued":true/);
      await origin.heal();
      await expect
        .poll(async () => (await origin.ledger()).map(({ body, applied }) => [body, applied]), {
          timeout: 60_000,
        })
        .toEqual([['asked for', 1]]);
      await expect.poll(() => tab.call('counts')).toMatchObject({ waiting: 0, deadLetters: 0 });
    },
  );

  here('the worker leaves a page alone while it is turned off, until it is turned on', async () => {
    const orders = await plain('/orders');
    await tab.call('switchOff');
    await origin.vanish();
    expect(await plain('/orders')).toBe('TypeError');
    await tab.call('switchOn');
    expect(await plain('/orders')).toBe(orders);
  });
});
