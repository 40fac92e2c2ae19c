import type { Page } from 'playwright';
import { expect } from 'vitest';
import { cached, inChromium, textOf, visits } from './browser.ts';

const visit = visits(new URL('page/swr.tsx', import.meta.url));
const PATIENTLY = { timeout: 60_000, interval: 50 };

const save = async (page: Page, item: string): Promise<void> => {
  await page.fill('#item', item);
  await page.click('text=Save');
};

inChromium(
  'offline a read is the last good response, and when the network is back it is the origin’s',
  async () => {
    const { open } = visit();
    const page = await open();
    await save(page, 'tea');
    await expect.poll(textOf(page, 'orders'), PATIENTLY).toBe('tea');
    await page.context().setOffline(true);
    await page.click('text=Read again');
    await expect.poll(textOf(page, 'orders'), PATIENTLY).toBe('tea (old)');
    await page.context().setOffline(false);
    await expect.poll(textOf(page, 'orders'), PATIENTLY).toBe('tea');
  },
);

inChromium('reads and a write that waits are there after a reload without an origin', async () => {
  const { shop, open } = visit();
  const page = await open();
  await save(page, 'tea');
  await expect.poll(textOf(page, 'orders'), PATIENTLY).toBe('tea');
  await expect.poll(cached(page, 'orders'), PATIENTLY).toContain('tea');
  await shop.vanish();
  await save(page, 'milk');
  await expect.poll(textOf(page, 'saved'), PATIENTLY).toBe('milk waits');
  await page.reload();
  await expect.poll(textOf(page, 'orders'), PATIENTLY).toBe('tea (old)');
  await expect.poll(textOf(page, 'unsent'), PATIENTLY).toBe('milk waiting');
  await shop.heal();
  await expect.poll(textOf(page, 'orders'), PATIENTLY).toBe('tea,milk');
  await expect.poll(textOf(page, 'unsent'), PATIENTLY).toBe('');
  expect((await shop.ledger()).map(({ path, applied }) => [path, applied])).toEqual([
    ['/orders/tea', 1],
    ['/orders/milk', 1],
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

inChromium('what the origin refuses is an error, and kept as a dead letter', async () => {
  const { shop, open } = visit();
  const page = await open();
  await shop.behave({ status: 422 });
  await save(page, 'tea');
  await expect.poll(textOf(page, 'saved'), PATIENTLY).toBe('error');
  await expect.poll(textOf(page, 'unsent'), PATIENTLY).toBe('tea dead-letter');
});

inChromium('a failing origin is asked as often as one of the two libraries asks', async () => {
  const { shop, open } = visit();
  await shop.behave({ status: 503 });
  const page = await open();
  await page.clock.install();
  await page.reload();
  await expect.poll(textOf(page, 'orders'), PATIENTLY).toBe('HTTPError');
  const asked = await shop.requests();
  // SWR would come again by now.
  await page.clock.fastForward(60_000);
  await save(page, 'tea');
  await expect.poll(() => shop.requests(), PATIENTLY).toContain('PUT /orders/tea');
  expect((await shop.requests()).filter((request) => request !== 'PUT /orders/tea')).toEqual(asked);
});
