/** The example app under a real Vite, in a real browser, with an origin that fails. */
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Page } from 'playwright';
import { build } from 'vite';
import { expect, test } from 'vitest';
import { apps, inChromium, inIndexedDB, isInMemory, mark, online, PATIENTLY } from './apps.ts';

const FOLDER = 'examples/react-orders';
const CLIENT = 'src/api.ts';

const app = apps(FOLDER);

const signIn = async (page: Page, user: string): Promise<void> => {
  await page.getByLabel('Name').fill(user);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.getByRole('banner').waitFor();
};

const order = async (page: Page, item: string): Promise<void> => {
  await page.getByLabel('Item').fill(item);
  await page.getByRole('button', { name: 'Place order' }).click();
};

const signOut = (page: Page, undelivered: 'keep' | 'remove'): Promise<void> =>
  page.getByRole('button', { name: `Sign out, ${undelivered}` }).click();

const listOf = (name: string) => (page: Page) => () =>
  page.getByRole('region', { name }).getByRole('listitem').allInnerTexts();
const orders = listOf('Orders');
const unsent = listOf('Not sent');
const isOld = (page: Page) => () => page.getByRole('status').isVisible();
const problems = (page: Page) => () => page.getByRole('alert').allInnerTexts();
const isSignedOut = (page: Page) => () => page.getByLabel('Name').isVisible();

const puts = (): number => app().origin.seen.filter((request) => request.startsWith('PUT')).length;

inChromium('a user who signs in sees the orders of that user', async () => {
  const page = await app().open();
  await signIn(page, 'ann-1');
  await order(page, 'tea');
  await expect.poll(orders(page), PATIENTLY).toEqual(['tea']);
  await expect.poll(unsent(page), PATIENTLY).toEqual([]);
  expect(await isOld(page)()).toBe(false);
  expect(puts()).toBe(1);
  expect(app().errors).toEqual([]);
});

inChromium(
  'while the origin is gone, a reload shows the cached orders and says that they are old',
  async () => {
    const page = await app().open();
    await signIn(page, 'ann-2');
    await order(page, 'tea');
    await expect.poll(orders(page), PATIENTLY).toEqual(['tea']);
    await expect.poll(() => inIndexedDB(page, 'cache'), PATIENTLY).toContain('tea');
    app().origin.vanish();
    await page.reload();
    await expect.poll(orders(page), PATIENTLY).toEqual(['tea']);
    expect(await isOld(page)()).toBe(true);
    app().origin.heal();
    await expect.poll(isOld(page), PATIENTLY).toBe(false);
    expect(await orders(page)()).toEqual(['tea']);
  },
);

inChromium('an order placed while the origin is gone survives a reload and is delivered once', async () => {
  const page = await app().open();
  await signIn(page, 'ann-3');
  await expect.poll(orders(page), PATIENTLY).toEqual([]);
  app().origin.vanish();
  await order(page, 'tea');
  await expect.poll(unsent(page), PATIENTLY).toEqual([expect.stringContaining('tea (waiting)')]);
  await page.reload();
  await expect.poll(unsent(page), PATIENTLY).toEqual([expect.stringContaining('tea (waiting)')]);
  app().origin.heal();
  await online(page);
  await expect.poll(orders(page), PATIENTLY).toEqual(['tea']);
  await expect.poll(unsent(page), PATIENTLY).toEqual([]);
  expect(puts()).toBe(1);
});

inChromium('an order that the origin rejects is shown as refused, until the user discards it', async () => {
  const page = await app().open();
  await signIn(page, 'ann-4');
  app().origin.fail(422);
  await order(page, 'tea');
  await expect.poll(unsent(page), PATIENTLY).toEqual([expect.stringContaining('tea (refused)')]);
  expect(await problems(page)()).toContain(
    'Some of what you entered is not accepted. Check it and try again.',
  );
  await page.getByRole('button', { name: 'Discard' }).click();
  await expect.poll(unsent(page), PATIENTLY).toEqual([]);
});

inChromium('a first read that fails recovers without the user', async () => {
  const page = await app().open();
  await signIn(page, 'ann-5');
  await order(page, 'tea');
  await expect.poll(orders(page), PATIENTLY).toEqual(['tea']);
  // Another browser of the same user: nothing is cached there.
  const context = await page.context().browser()?.newContext();
  const other = await (context as NonNullable<typeof context>).newPage();
  await other.goto(app().url);
  const session = await page.evaluate(() => sessionStorage.getItem('session') ?? '');
  await other.evaluate((text) => sessionStorage.setItem('session', text), session);
  app().origin.fail(404);
  await other.reload();
  await expect.poll(problems(other), PATIENTLY).toEqual(['This does not exist, or not any more.']);
  app().origin.heal();
  await expect.poll(orders(other), PATIENTLY).toEqual(['tea']);
  expect(await problems(other)()).toEqual([]);
  await context?.close();
});

/** Ann has read an order, and another one waits. */
async function withOrders(user: string): Promise<Page> {
  const page = await app().open();
  await signIn(page, user);
  await order(page, `tea-of-${user}`);
  await expect.poll(orders(page), PATIENTLY).toEqual([`tea-of-${user}`]);
  app().origin.vanish();
  await order(page, `cup-of-${user}`);
  await expect.poll(unsent(page), PATIENTLY).toEqual([expect.stringContaining(`cup-of-${user}`)]);
  return page;
}

inChromium('after a sign-out with "remove", nothing of the user is left', async () => {
  const page = await withOrders('ann-6');
  await signOut(page, 'remove');
  await expect.poll(isSignedOut(page), PATIENTLY).toBe(true);
  expect(await inIndexedDB(page)).not.toContain('of-ann-6');
  app().origin.heal();
  await signIn(page, 'bob-6');
  await order(page, 'milk');
  await expect.poll(orders(page), PATIENTLY).toEqual(['milk']);
  expect(await page.content()).not.toContain('ann-6');
  await expect.poll(() => inIndexedDB(page), PATIENTLY).toContain('milk');
  expect(await inIndexedDB(page)).not.toContain('of-ann-6');
  await expect.poll(() => isInMemory(page, 'of-ann-6'), PATIENTLY).toBe(false);
  expect(puts()).toBe(2);
});

inChromium('after a sign-out with "keep", orders wait unseen until the user signs in again', async () => {
  const page = await withOrders('ann-7');
  await signOut(page, 'keep');
  await expect.poll(isSignedOut(page), PATIENTLY).toBe(true);
  app().origin.heal();
  await signIn(page, 'bob-7');
  await order(page, 'milk');
  await expect.poll(orders(page), PATIENTLY).toEqual(['milk']);
  expect(await unsent(page)()).toEqual([]);
  expect(await page.content()).not.toContain('ann-7');
  await expect.poll(() => inIndexedDB(page, 'cache'), PATIENTLY).toContain('milk');
  expect(await inIndexedDB(page, 'cache')).not.toContain('of-ann-7');
  await expect.poll(() => isInMemory(page, 'of-ann-7'), PATIENTLY).toBe(false);
  expect(puts()).toBe(2);
  // Nor does a cached response stand in for one of the other user.
  app().origin.vanish();
  await page.reload();
  await expect.poll(orders(page), PATIENTLY).toEqual(['milk']);
  app().origin.heal();
  await signOut(page, 'keep');
  await signIn(page, 'ann-7');
  await expect.poll(orders(page), PATIENTLY).toEqual(['tea-of-ann-7', 'cup-of-ann-7']);
  await expect.poll(unsent(page), PATIENTLY).toEqual([]);
  expect(puts()).toBe(3);
});

inChromium('the module of the client is edited while an order waits: it is delivered once', async () => {
  const page = await app().open();
  await signIn(page, 'ann-8');
  await expect.poll(orders(page), PATIENTLY).toEqual([]);
  app().origin.vanish();
  await order(page, 'tea');
  await expect.poll(unsent(page), PATIENTLY).toEqual([expect.stringContaining('tea (waiting)')]);
  const isSamePage = await mark(page);
  for (const _ of [1, 2, 3]) {
    const reloaded = page.waitForResponse((response) => response.url().includes(CLIENT));
    await app().touch(CLIENT);
    await reloaded;
  }
  await expect.poll(unsent(page), PATIENTLY).toEqual([expect.stringContaining('tea (waiting)')]);
  app().origin.heal();
  await online(page);
  await expect.poll(orders(page), PATIENTLY).toEqual(['tea']);
  await order(page, 'milk');
  await expect.poll(orders(page), PATIENTLY).toEqual(['tea', 'milk']);
  await expect.poll(unsent(page), PATIENTLY).toEqual([]);
  expect(puts()).toBe(2);
  expect(await isSamePage()).toBe(true);
  expect(app().errors).toEqual([]);
});

inChromium(
  'the module of the client is edited while an order is in flight: it is delivered once',
  async () => {
    const page = await app().open();
    await signIn(page, 'ann-9');
    app().origin.hold('PUT');
    await order(page, 'tea');
    await expect.poll(() => app().origin.held, PATIENTLY).toBe(1);
    const isSamePage = await mark(page);
    const reloaded = page.waitForResponse((response) => response.url().includes(CLIENT));
    await app().touch(CLIENT);
    await reloaded;
    app().origin.heal();
    await expect.poll(orders(page), PATIENTLY).toEqual(['tea']);
    await expect.poll(unsent(page), PATIENTLY).toEqual([]);
    expect(puts()).toBe(1);
    expect(await isSamePage()).toBe(true);
    expect(app().errors).toEqual([]);
  },
);

test('the example builds', async () => {
  const outDir = await mkdtemp(join(tmpdir(), 'holdfast-example-'));
  await build({ root: FOLDER, configFile: `${FOLDER}/vite.config.ts`, build: { outDir }, logLevel: 'error' });
  expect(await readdir(outDir)).toContain('index.html');
  await rm(outDir, { recursive: true });
});
