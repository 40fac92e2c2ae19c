import type { Page } from 'playwright';
import { describe, expect } from 'vitest';
import { cached, inChromium, textOf, visits } from './browser.ts';

const PATIENTLY = { timeout: 60_000, interval: 50 };
const SERVER = 'The service has a problem of its own. Try again later.';

const save = async (page: Page, item: string): Promise<void> => {
  await page.fill('#item', item);
  await page.click('text=Save');
};

const pages = {
  vue: new URL('page/frameworks/vue.ts', import.meta.url),
  svelte: new URL('page/frameworks/svelte.ts', import.meta.url),
  solid: new URL('page/frameworks/solid.ts', import.meta.url),
};

describe.each(Object.entries(pages))('%s', (framework, page) => {
  const visit = visits(page);

  inChromium(
    `${framework}: cached orders survive a reload without an origin, and recover by themselves`,
    async () => {
      const { shop, open } = visit();
      const page = await open();
      await save(page, 'tea');
      await expect.poll(textOf(page, 'orders'), PATIENTLY).toBe('tea');
      await expect.poll(cached(page, 'orders'), PATIENTLY).toContain('tea');
      await shop.vanish();
      await page.reload();
      await expect.poll(textOf(page, 'orders'), PATIENTLY).toBe('tea (old)');
      await shop.heal();
      await expect.poll(textOf(page, 'orders'), PATIENTLY).toBe('tea');
    },
  );

  inChromium(`${framework}: a write waits offline, survives a reload, and is delivered once`, async () => {
    const { shop, open } = visit();
    const page = await open();
    await expect.poll(textOf(page, 'orders'), PATIENTLY).toBe('');
    await shop.vanish();
    await save(page, 'tea');
    await expect.poll(textOf(page, 'saved'), PATIENTLY).toBe('waits');
    await page.reload();
    await expect.poll(textOf(page, 'unsent'), PATIENTLY).toBe('tea waiting');
    await shop.heal();
    await expect.poll(textOf(page, 'orders'), PATIENTLY).toBe('tea');
    await expect.poll(textOf(page, 'unsent'), PATIENTLY).toBe('');
    expect((await shop.ledger()).map(({ path, applied }) => [path, applied])).toEqual([['/orders/tea', 1]]);
  });

  inChromium(`${framework}: an order saved in one tab appears in the other`, async () => {
    const { open } = visit();
    const other = await open();
    const page = await open();
    await save(page, 'tea');
    await expect.poll(textOf(other, 'orders'), PATIENTLY).toBe('tea');
  });

  inChromium(`${framework}: an unmounted component reads no more`, async () => {
    const { shop, open } = visit();
    await shop.behave({ status: 503 });
    const page = await open();
    await page.clock.install();
    await page.reload();
    await expect.poll(textOf(page, 'orders'), PATIENTLY).toBe(SERVER);
    await page.click('#unmount');
    await expect.poll(() => shop.inFlight(), PATIENTLY).toBe(0);
    const seen = await shop.requests();
    await page.clock.fastForward(60_000);
    // A write goes the same way, after the requests before it.
    await save(page, 'tea');
    await expect.poll(() => shop.requests(), PATIENTLY).toContain('PUT /orders/tea');
    expect((await shop.requests()).filter((request) => request !== 'PUT /orders/tea')).toEqual(seen);
  });
});

describe('orders.ts, which all of them share', () => {
  const visit = visits(pages.vue);

  inChromium('orders.ts: a write that the origin rejects is a dead letter', async () => {
    const { shop, open } = visit();
    await shop.behave({ status: 422 });
    const page = await open();
    await save(page, 'tea');
    await expect.poll(textOf(page, 'saved'), PATIENTLY).toBe('HTTPError');
    await expect.poll(textOf(page, 'unsent'), PATIENTLY).toBe('tea dead-letter');
  });

  inChromium('orders.ts: a response that comes after the cached one is shown', async () => {
    const { shop, open } = visit();
    const page = await open();
    await save(page, 'tea');
    await expect.poll(textOf(page, 'orders'), PATIENTLY).toBe('tea');
    await expect.poll(cached(page, 'orders'), PATIENTLY).toContain('tea');
    await fetch(`${shop.url}/orders/milk`, { method: 'PUT', body: '{"item":"milk"}' });
    // Longer than `respondAfter`, for each request: no read has its response in time. Shorter than an attempt's limit.
    await shop.behave({ delay: 9_000 });
    await page.reload();
    await expect.poll(textOf(page, 'orders'), PATIENTLY).toBe('tea (old)');
    await expect.poll(textOf(page, 'orders'), PATIENTLY).toBe('tea,milk');
  });

  inChromium('orders.ts: a first read that fails recovers by itself', async () => {
    const { shop, open } = visit();
    await shop.behave({ status: 503 });
    const page = await open();
    await expect.poll(textOf(page, 'orders'), PATIENTLY).toBe(SERVER);
    await shop.heal();
    await expect.poll(textOf(page, 'orders'), PATIENTLY).toBe('');
  });
});
