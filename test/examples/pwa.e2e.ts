import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import type { RequestListener } from 'node:http';
import { extname, join } from 'node:path';
import { promisify } from 'node:util';
import { type BrowserContext, chromium, type Page } from 'playwright';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { chromiumOptions } from '../../tools/runtimes/browsers.ts';
import { chromium as program } from '../../tools/runtimes/installed.ts';
import { backgroundSync } from '../faults/worker/tabs.ts';
import { type Backend, type Shop, startBackend, startShop } from '../recipes/origin.ts';
import { install, type Project } from './project.ts';

const PATIENTLY = { timeout: 60_000, interval: 50 };

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.svg': 'image/svg+xml',
  '.webmanifest': 'application/manifest+json',
};

describe.skipIf(!program && !process.env.CI)('the PWA of pwa, in Chromium', () => {
  let shop: Shop;
  let site: Backend;
  let project: Project;
  let context: BrowserContext;
  let sync: Awaited<ReturnType<typeof backgroundSync>>;

  beforeAll(async () => {
    shop = await startShop();
    project = await install('pwa');
    await build();
    site = await startBackend(serve(join(project.folder, 'dist')));
  });
  afterAll(async () => {
    await site?.close();
    await shop?.close();
    await project?.remove();
  });
  beforeEach(async () => {
    await shop.reset();
    await site.heal();
    const browser = await chromium.launch(chromiumOptions);
    context = await browser.newContext();
    sync = await backgroundSync(context);
    return () => browser.close();
  });

  const build = () =>
    promisify(execFile)(process.execPath, ['node_modules/vite/bin/vite.js', 'build'], {
      cwd: project.folder,
      env: { ...process.env, NODE_ENV: 'production', VITE_API: shop.url },
    });
  const open = async (): Promise<Page> => {
    const page = await context.newPage();
    await page.goto(site.url);
    return page;
  };
  /** A page as it is from the first visit on: the user is signed in, and the shell is installed. */
  async function visit(): Promise<Page> {
    const page = await open();
    await page.fill('#sign-in input', 'ann');
    await page.click('#sign-in button');
    await page.waitForFunction(() => navigator.serviceWorker.controller !== null);
    return page;
  }
  async function order(page: Page, item: string): Promise<void> {
    await page.fill('#order input', item);
    await page.click('#order button');
  }
  const orders = (page: Page) => () => page.locator('#orders li').allInnerTexts();
  const status = (page: Page) => () => page.innerText('#status');
  const delivered = async () =>
    (await shop.ledger()).map(({ body, applied }) => [JSON.parse(`${body}`).item, applied]);
  const offline = () => Promise.all([shop.vanish(), site.vanish()]);

  test('has a manifest that Chromium takes for one of an installable app', async () => {
    const page = await visit();
    const devtools = await context.newCDPSession(page);
    expect((await devtools.send('Page.getAppManifest')).errors).toEqual([]);
    // A context of a test is a private window, in which no app can be installed.
    const { installabilityErrors } = await devtools.send('Page.getInstallabilityErrors');
    expect(installabilityErrors.map(({ errorId }) => errorId)).toEqual(['in-incognito']);
  });

  test('opens without its origin and without the API, with the orders as they were last seen', async () => {
    await fetch(`${shop.url}/orders`, { method: 'POST', body: '{"item":"tea"}' });
    const page = await visit();
    await expect.poll(orders(page), PATIENTLY).toEqual(['tea']);
    // The list is stored a moment after it is shown.
    await expect.poll(() => page.evaluate(storedText, 'holdfast-cache'), PATIENTLY).not.toBe('');
    await page.close();
    await offline();
    const later = await open();
    await expect.poll(orders(later), PATIENTLY).toEqual(['tea']);
    await expect.poll(() => later.isVisible('#note'), PATIENTLY).toBe(true);
  });

  test('keeps an order that is made offline, and stores no plain text of it', async () => {
    const page = await visit();
    await offline();
    await order(page, 'a secret present');
    await expect.poll(orders(page), PATIENTLY).toEqual(['a secret present (queued)']);
    await expect.poll(status(page), PATIENTLY).toContain('Kept');
    const stored = await page.evaluate(storedText, undefined);
    // What the queue decides by is in the clear: the reader of the test sees that it is found.
    expect(stored).toContain(new URL(shop.url).origin);
    expect(stored).not.toContain('secret');
    expect(stored).not.toContain(btoa('secret'));
  });

  test('delivers with all tabs closed, each order once and in order', async () => {
    const page = await visit();
    await offline();
    await order(page, 'tea');
    await expect.poll(orders(page), PATIENTLY).toEqual(['tea (queued)']);
    await order(page, 'bread');
    await expect.poll(orders(page), PATIENTLY).toEqual(['tea (queued)', 'bread (queued)']);
    await page.close();
    // The browser wakes the worker in vain while there is no network.
    await sync(`${site.url}/`);
    expect(await delivered()).toEqual([]);
    // The app's own origin stays away: the worker needs nothing of it.
    await shop.heal();
    await expect
      .poll(async () => {
        await sync(`${site.url}/`);
        return delivered();
      }, PATIENTLY)
      .toEqual([
        ['tea', 1],
        ['bread', 1],
      ]);
    const later = await open();
    await expect.poll(orders(later), PATIENTLY).toEqual(['tea', 'bread']);
    expect(await delivered()).toHaveLength(2);
  });

  test('sends nothing of a user that has signed out', async () => {
    const page = await visit();
    await offline();
    await order(page, 'tea');
    await expect.poll(orders(page), PATIENTLY).toEqual(['tea (queued)']);
    await page.click('#sign-out');
    await expect.poll(() => page.isVisible('#sign-in'), PATIENTLY).toBe(true);
    await shop.heal();
    await sync(`${site.url}/`);
    await page.fill('#sign-in input', 'bob');
    await page.click('#sign-in button');
    await expect.poll(() => page.isVisible('main'), PATIENTLY).toBe(true);
    await sync(`${site.url}/`);
    expect(await delivered()).toEqual([]);
  });

  test('shows nothing of a user to the next one, in any tab, and keeps showing what waits', async () => {
    await fetch(`${shop.url}/orders`, { method: 'POST', body: '{"item":"tea"}' });
    const [page, other] = [await visit(), await open()];
    for (const each of [page, other]) await expect.poll(orders(each), PATIENTLY).toEqual(['tea']);
    await offline();
    await page.click('#sign-out');
    for (const each of [page, other]) {
      await expect.poll(() => each.isVisible('#sign-in'), PATIENTLY).toBe(true);
      expect(await orders(each)()).toEqual([]);
    }
    await page.fill('#sign-in input', 'bob');
    await page.click('#sign-in button');
    await order(page, 'milk');
    await expect.poll(orders(page), PATIENTLY).toEqual(['milk (queued)']);
    await expect.poll(() => page.isVisible('#note'), PATIENTLY).toBe(true);
    await expect.poll(orders(other), PATIENTLY).toEqual(['milk (queued)']);
    await expect.poll(status(page), PATIENTLY).toContain('Kept');
    await page.click('#sign-out');
    await expect.poll(status(page), PATIENTLY).toBe('');
  });

  test('says that an order is kept only until its delivery', async () => {
    const page = await visit();
    await offline();
    await order(page, 'tea');
    await expect.poll(status(page), PATIENTLY).toContain('Kept');
    await shop.heal();
    await page.evaluate(() => dispatchEvent(new Event('online')));
    await expect.poll(status(page), PATIENTLY).toBe('Ordered.');
    await expect.poll(orders(page), PATIENTLY).toEqual(['tea']);
  });

  test('offers a new version of the shell, which takes over when the user asks for it', async () => {
    const page = await visit();
    const html = join(project.folder, 'index.html');
    const before = await readFile(html, 'utf8');
    await writeFile(html, before.replace('<h1>Orders</h1>', '<h1>Orders 2</h1>'));
    await build();
    await page.reload();
    await expect.poll(() => page.isVisible('#update'), PATIENTLY).toBe(true);
    expect(await page.innerText('h1')).toBe('Orders');
    await page.click('#update');
    await expect.poll(() => page.innerText('h1').catch(() => ''), PATIENTLY).toBe('Orders 2');
    expect(await page.evaluate(async () => (await caches.keys()).length)).toBe(1);
    await offline();
    await page.reload();
    expect(await page.innerText('h1')).toBe('Orders 2');
  });
});

/** Serves a folder as a static host does. */
function serve(folder: string): RequestListener {
  return (request, response) => {
    const path = new URL(request.url ?? '/', 'http://site').pathname.replace(/\/$/, '/index.html');
    const type = TYPES[extname(path)] ?? 'application/octet-stream';
    readFile(join(folder, path)).then(
      (content) => response.writeHead(200, { 'content-type': type }).end(content),
      () => response.writeHead(404).end(),
    );
  };
}

/** Runs in the page. @returns every record of one database, or of all, bytes as text. */
async function storedText(only?: string): Promise<string> {
  const settled = <T>(request: IDBRequest<T>): Promise<T> =>
    new Promise((resolve, reject) => {
      request.onsuccess = () => resolve(request.result);
      request.onerror = () => reject(request.error);
    });
  const textOf = async (value: unknown): Promise<string> => {
    if (value instanceof Blob) return textOf(await value.arrayBuffer());
    if (value instanceof ArrayBuffer) return textOf(new Uint8Array(value));
    if (ArrayBuffer.isView(value))
      return new TextDecoder('latin1').decode(value as NodeJS.ArrayBufferView<ArrayBuffer>);
    if (typeof value !== 'object' || value === null) return String(value);
    const parts = await Promise.all(
      Object.entries(value).map(async ([name, part]) => `${name}: ${await textOf(part)}`),
    );
    return parts.join('\n');
  };
  let text = '';
  for (const { name } of await indexedDB.databases()) {
    if (only !== undefined && name !== only) continue;
    const database = await settled(indexedDB.open(`${name}`));
    for (const store of database.objectStoreNames) {
      const records = await settled(database.transaction(store).objectStore(store).getAll());
      for (const record of records) text += `${await textOf(record)}\n`;
    }
    database.close();
  }
  return text;
}
