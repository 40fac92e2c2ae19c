import type { Page } from 'playwright';
import { expect } from 'vitest';
import { cached, inChromium, textOf, visits } from './browser.ts';
import type { Shop } from './origin.ts';

const visit = visits(new URL('page/tanstack-query.tsx', import.meta.url));
const PATIENTLY = { timeout: 60_000, interval: 50 };

const NOT_FOUND = 'This does not exist, or not any more.';
const SERVER = 'The service has a problem of its own. Try again later.';
const NETWORK = 'There is no connection to the service. Check your network and try again.';

const save = async (page: Page, item: string): Promise<void> => {
  await page.fill('#item', item);
  await page.click('text=Save');
};

inChromium('a page that loads while the origin is gone shows its cached orders, marked as old', async () => {
  const { shop, open } = visit();
  const page = await open();
  await save(page, 'tea');
  await expect.poll(textOf(page, 'orders')).toBe('tea');
  await expect.poll(cached(page, 'orders'), PATIENTLY).toContain('tea');
  await shop.vanish();
  await page.reload();
  await expect.poll(textOf(page, 'orders'), PATIENTLY).toBe('tea (old)');
});

inChromium(
  'offline, a mutation resolves at once, and its write is delivered when the network is back',
  async () => {
    const { shop, open } = visit();
    const page = await open();
    await expect.poll(textOf(page, 'orders')).toBe('');
    await page.context().setOffline(true);
    await save(page, 'tea');
    await expect.poll(textOf(page, 'saved')).toBe('tea waits');
    await expect.poll(textOf(page, 'unsent')).toBe('tea waiting');
    await page.context().setOffline(false);
    await expect.poll(textOf(page, 'orders'), PATIENTLY).toBe('tea');
    await expect.poll(textOf(page, 'unsent')).toBe('');
    expect((await shop.ledger()).map(({ path, applied }) => [path, applied])).toEqual([['/orders/tea', 1]]);
  },
);

inChromium('offline, a read gets the cached response: TanStack Query does not hold it back', async () => {
  const { open } = visit();
  const page = await open();
  await save(page, 'tea');
  await expect.poll(textOf(page, 'orders')).toBe('tea');
  await page.context().setOffline(true);
  await page.click('text=Read again');
  await expect.poll(textOf(page, 'orders'), PATIENTLY).toBe('tea (old)');
  await page.context().setOffline(false);
  await expect.poll(textOf(page, 'orders'), PATIENTLY).toBe('tea');
});

inChromium('a write survives a reload, and is shown as waiting until its delivery', async () => {
  const { shop, open } = visit();
  const page = await open();
  await shop.vanish();
  await save(page, 'tea');
  await expect.poll(textOf(page, 'unsent'), PATIENTLY).toBe('tea waiting');
  await page.reload();
  await expect.poll(textOf(page, 'unsent'), PATIENTLY).toBe('tea waiting');
  await shop.heal();
  await expect.poll(textOf(page, 'orders'), PATIENTLY).toBe('tea');
  await expect.poll(textOf(page, 'unsent')).toBe('');
  expect((await shop.ledger()).map(({ path, applied }) => [path, applied])).toEqual([['/orders/tea', 1]]);
});

inChromium('an effect that StrictMode runs twice makes one write', async () => {
  const { shop, open } = visit();
  const page = await open({ draft: 'yes' });
  await expect.poll(textOf(page, 'orders'), PATIENTLY).toBe('draft');
  expect((await shop.requests()).filter((request) => request.startsWith('PUT'))).toEqual([
    'PUT /orders/draft',
  ]);
});

inChromium('an order saved in one tab appears in the other', async () => {
  const { open } = visit();
  const other = await open();
  await expect.poll(textOf(other, 'orders'), PATIENTLY).toBe('');
  const page = await open();
  await save(page, 'tea');
  await expect.poll(textOf(other, 'orders'), PATIENTLY).toBe('tea');
});

inChromium('a write that the origin rejects is an error of the mutation, and a dead letter', async () => {
  const { shop, open } = visit();
  await shop.behave({ status: 422 });
  const page = await open();
  await save(page, 'tea');
  await expect.poll(textOf(page, 'saved')).toBe('error');
  await expect.poll(textOf(page, 'unsent')).toBe('tea dead-letter');
});

inChromium('a failing origin gets the attempts of one library, not of both', async () => {
  const { shop, open } = visit();
  await shop.behave({ status: 503 });
  const page = await open();
  await expect.poll(textOf(page, 'orders'), PATIENTLY).toBe(SERVER);
  expect(await shop.requests()).toEqual(['GET /orders', 'GET /orders', 'GET /orders']);
});

inChromium('a read that failed runs again when the network is back', async () => {
  const { shop, open } = visit();
  await shop.behave({ status: 404 });
  const page = await open();
  await expect.poll(textOf(page, 'orders'), PATIENTLY).toBe(NOT_FOUND);
  await shop.heal();
  await page.context().setOffline(true);
  await page.context().setOffline(false);
  await expect.poll(textOf(page, 'orders'), PATIENTLY).toBe('');
});

const TROUBLES: readonly [string, (shop: Shop) => Promise<void>, string][] = [
  ['responds 404', (shop) => shop.behave({ status: 404 }), NOT_FOUND],
  ['responds 503', (shop) => shop.behave({ status: 503 }), SERVER],
  ['is gone', (shop) => shop.vanish(), NETWORK],
];
for (const [trouble, start, message] of TROUBLES)
  inChromium(`a first read recovers by itself after the origin ${trouble}`, async () => {
    const { shop, open } = visit();
    await fetch(`${shop.url}/orders/tea`, { method: 'PUT', body: '{"item":"tea"}' });
    await start(shop);
    const page = await open();
    await expect.poll(textOf(page, 'orders'), PATIENTLY).toBe(message);
    await shop.heal();
    await expect.poll(textOf(page, 'orders'), PATIENTLY).toBe('tea');
  });
