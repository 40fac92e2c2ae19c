import type { Page } from 'playwright';
import { expect } from 'vitest';
import type * as recipe from '../../docs/recipes/service-worker.page.ts';
import { inChromium, type Visit, visits } from './browser.ts';

declare const helpedFor: typeof recipe.helpedFor;
declare const obey: typeof recipe.obey;

const visit = visits(
  new URL('page/service-worker.ts', import.meta.url),
  new URL('../../docs/recipes/service-worker.ts', import.meta.url),
);
const PATIENTLY = { timeout: 60_000, interval: 50 };

/** A page of the app as it is from its second visit on. */
async function helped(open: Visit['open']): Promise<Page> {
  const page = await open();
  await page.evaluate(async () => {
    await helpedFor('ann');
    await navigator.serviceWorker.ready;
  });
  await page.reload();
  return page;
}

/** The result of the app's own fetch. */
const fetched = (page: Page, url: string, init: { method?: string; body?: string } = {}): Promise<string> =>
  page.evaluate(
    ([url, init]) =>
      fetch(url, init).then(
        async (answer) => `${answer.status} ${await answer.text()}`,
        (error: Error) => error.name,
      ),
    [url, init] as const,
  );

inChromium(
  'the app’s own reads have a cached response when the origin is gone, where a route says so',
  async () => {
    const { shop, open } = visit();
    const page = await helped(open);
    expect(await fetched(page, `${shop.url}/orders`)).toBe('200 []');
    expect(await fetched(page, `${shop.url}/others`)).toMatch('200');
    await shop.vanish();
    expect(await fetched(page, `${shop.url}/orders`)).toBe('200 []');
    expect(await fetched(page, `${shop.url}/others`)).toBe('TypeError');
  },
);

inChromium(
  'the app’s own writes are kept where a route says so, and arrive once with the page closed',
  async () => {
    const { shop, open } = visit();
    const page = await helped(open);
    await shop.vanish();
    const write = { method: 'POST', body: 'a note' };
    expect(await fetched(page, `${shop.url}/orders`, write)).toBe('TypeError');
    expect(await fetched(page, `${shop.url}/notes`, write)).toMatch(/^202 {"queued":true/);
    await page.close();
    await shop.heal();
    await expect
      .poll(async () => (await shop.ledger()).map(({ path, applied }) => [path, applied]), PATIENTLY)
      .toEqual([['/notes', 1]]);
  },
);

inChromium(
  'it stands aside while no user is signed in, and gives none the cached responses of another',
  async () => {
    const { shop, open } = visit();
    const page = await helped(open);
    expect(await fetched(page, `${shop.url}/orders`)).toBe('200 []');
    await page.evaluate(() => helpedFor(undefined));
    expect(await fetched(page, `${shop.url}/orders`)).toBe('200 []');
    await shop.vanish();
    expect(await fetched(page, `${shop.url}/orders`)).toBe('TypeError');
    await page.evaluate(() => helpedFor('bob'));
    expect(await fetched(page, `${shop.url}/orders`)).toBe('TypeError');
  },
);

inChromium('a file of settings turns it off, and nothing else does', async () => {
  const { shop, open } = visit();
  const page = await helped(open);
  const says = async (body: string) => {
    const url = `${shop.url}/settings?${new URLSearchParams({ body })}`;
    await page.evaluate((url) => obey(url), url);
  };
  expect(await fetched(page, `${shop.url}/orders`)).toBe('200 []');
  await says('<h1>Sign in</h1>');
  await says('null');
  await shop.vanish();
  expect(await fetched(page, `${shop.url}/orders`)).toBe('200 []');
  await shop.heal();
  await says('{"worker": false}');
  await shop.vanish();
  expect(await fetched(page, `${shop.url}/orders`)).toBe('TypeError');
  await shop.heal();
  await says('{"worker": true}');
  await shop.vanish();
  expect(await fetched(page, `${shop.url}/orders`)).toBe('200 []');
});
