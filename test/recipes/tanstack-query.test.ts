import type { Page } from 'playwright';
import { expect } from 'vitest';
import { inChromium, textOf, visits } from './browser.ts';

const visit = visits(new URL('page/tanstack-query.tsx', import.meta.url));
const PATIENTLY = { timeout: 20_000, interval: 50 };

const save = async (page: Page, item: string): Promise<void> => {
  await page.fill('#item', item);
  await page.click('text=Save');
};

inChromium(
  'a page that is loaded while the origin is gone shows what it last had, and says that it is old',
  async () => {
    const { shop, open } = visit();
    const page = await open();
    await save(page, 'tea');
    await expect.poll(textOf(page, 'orders')).toBe('tea');
    await shop.vanish();
    await page.reload();
    await expect.poll(textOf(page, 'orders'), PATIENTLY).toBe('tea (old)');
  },
);

inChromium('offline a write is done with at once, and arrives when the network is back', async () => {
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
});

inChromium('offline a read is the copy: TanStack Query does not hold it back', async () => {
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

inChromium('a write waits over a reload, and is shown as waiting until it has arrived', async () => {
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

inChromium('what an effect writes is one write, although StrictMode runs it twice', async () => {
  const { shop, open } = visit();
  const page = await open({ draft: 'yes' });
  await expect.poll(textOf(page, 'orders'), PATIENTLY).toBe('draft');
  expect((await shop.requests()).filter((request) => request.startsWith('PUT'))).toEqual([
    'PUT /orders/draft',
  ]);
});

inChromium('what is saved in one tab is seen in the other', async () => {
  const { open } = visit();
  const other = await open();
  await expect.poll(textOf(other, 'orders'), PATIENTLY).toBe('');
  const page = await open();
  await save(page, 'tea');
  await expect.poll(textOf(other, 'orders'), PATIENTLY).toBe('tea');
});

inChromium('what the origin refuses is an error of the mutation, and kept as a dead letter', async () => {
  const { shop, open } = visit();
  await shop.behave({ status: 422 });
  const page = await open();
  await save(page, 'tea');
  await expect.poll(textOf(page, 'saved')).toBe('error');
  await expect.poll(textOf(page, 'unsent')).toBe('tea dead-letter');
});

inChromium('a failing origin is asked as often as one of the two libraries asks', async () => {
  const { shop, open } = visit();
  await shop.behave({ status: 503 });
  const page = await open();
  await expect.poll(textOf(page, 'orders'), PATIENTLY).toBe('HTTPError');
  expect(await shop.requests()).toEqual(['GET /orders', 'GET /orders', 'GET /orders']);
});

inChromium('what could not be read is read again when the network is back', async () => {
  const { shop, open } = visit();
  await shop.behave({ status: 404 });
  const page = await open();
  await expect.poll(textOf(page, 'orders'), PATIENTLY).toBe('HTTPError');
  await shop.heal();
  await page.context().setOffline(true);
  await page.context().setOffline(false);
  await expect.poll(textOf(page, 'orders'), PATIENTLY).toBe('');
});
