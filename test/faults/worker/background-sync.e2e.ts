import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Site, startSite } from '../site.ts';
import { type Origin, startOrigin } from './origin.ts';
import { type Browser, browsers, type Tab } from './tabs.ts';

const POLL = { timeout: 60_000, interval: 50 };

/** No other engine has it. */
const [chromium] = browsers.filter(({ name }) => name === 'Chromium');

let site: Site;
let origin: Origin;
let browser: Browser;
let tab: Tab;

const here = test.skipIf(chromium?.missing !== undefined && !process.env.CI);

beforeAll(async () => {
  site = await startSite(
    new URL('page/main.ts', import.meta.url),
    undefined,
    new URL('page/worker.ts', import.meta.url),
  );
  origin = await startOrigin();
});
beforeEach(async () => {
  if (!chromium) return;
  browser = await chromium.launch();
  tab = await browser.open(site.url);
  await tab.call('ready');
  await tab.call('signIn', 'ann');
});
afterEach(async () => {
  await browser?.close();
  await origin.reset();
});
afterAll(async () => {
  await origin?.close();
  await site?.close();
});

const wish = { id: 'order', lane: 'a' };

const delivered = async (): Promise<unknown> =>
  (await origin.ledger()).map(({ body, applied }) => [body, applied]);

here(
  'the worker sends entries that wait when the last page closes; the browser wakes it by itself',
  async () => {
    // Once, so that the page does not send it either.
    await origin.behave({ status: 503 }, 1);
    expect(await tab.call('write', `${origin.url}/things`, [wish])).toEqual([202]);
    await tab.close();
    await expect.poll(delivered, POLL).toEqual([['order', 1]]);
  },
);

here('the worker sends with all pages closed, when there is a network again', async () => {
  await origin.vanish();
  expect(await tab.call('write', `${origin.url}/things`, [wish, { ...wish, id: 'second' }])).toEqual([
    202, 202,
  ]);
  await tab.close();
  // While it is gone, a sync event fails.
  await browser.sync?.(site.url);
  await origin.heal();
  await expect
    .poll(async () => {
      await browser.sync?.(site.url);
      return delivered();
    }, POLL)
    .toEqual([
      ['order', 1],
      ['second', 1],
    ]);
  // A page that is opened later knows of it.
  const later = await browser.open(site.url);
  await later.call('ready');
  expect(await later.call('counts')).toMatchObject({ waiting: 0, deadLetters: 0 });
});

here('the worker sends nothing of a user after the sign-out', async () => {
  await origin.vanish();
  await tab.call('write', `${origin.url}/things`, [wish]);
  await tab.call('signOut');
  await tab.close();
  await origin.heal();
  await browser.sync?.(site.url, true);
  const later = await browser.open(site.url);
  await later.call('ready');
  await browser.sync?.(site.url);
  expect(await delivered()).toEqual([]);
  await later.call('signIn', 'bob');
  await browser.sync?.(site.url);
  expect(await later.call('counts')).toMatchObject({ waiting: 0, count: 1 });
  expect(await delivered()).toEqual([]);
  await later.call('signIn', 'ann');
  await expect
    .poll(async () => {
      await browser.sync?.(site.url);
      return delivered();
    }, POLL)
    .toEqual([['order', 1]]);
});
