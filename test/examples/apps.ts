import { type Browser, type BrowserContext, chromium, type Page } from 'playwright';
import { afterAll, beforeAll, beforeEach, expect } from 'vitest';
import { chromiumOptions } from '../../tools/runtimes/browsers.ts';
import { chromium as program } from '../../tools/runtimes/installed.ts';
import { inChromium } from '../recipes/browser.ts';
import { type DevServer, startDevServer } from './dev-server.ts';

export { inChromium };

/** For what takes as long as a backoff, or a second visit of Vite. */
export const PATIENTLY = { timeout: 60_000, interval: 50 };

/** An app under Vite's development server, in a browser that is new for each test. */
export interface App extends Omit<DevServer, 'close'> {
  /** @param path Below the server's URL. */
  open(path?: string): Promise<Page>;
  /** What pages threw and nothing caught, and what Vite could not reload. */
  readonly errors: readonly string[];
}

/** Starts Vite once for a file of tests. The arguments are those of `startDevServer`. */
export function apps(...of: Parameters<typeof startDevServer>): () => App {
  let server: DevServer;
  let browser: Browser;
  let context: BrowserContext;
  let errors: string[] = [];
  beforeAll(async () => {
    if (!program && !process.env.CI) return;
    server = await startDevServer(...of);
    browser = await chromium.launch(chromiumOptions);
  });
  beforeEach(async () => {
    errors = [];
    server?.origin.reset();
    context = await browser?.newContext();
    return () => context?.close();
  });
  afterAll(async () => {
    await browser?.close();
    await server?.close();
  });
  return () => ({
    ...server,
    errors,
    async open(path = '') {
      const page = await context.newPage();
      page.setDefaultTimeout(PATIENTLY.timeout);
      page.on('pageerror', (error) => errors.push(String(error)));
      page.on('console', (message) => {
        if (/Failed to reload|ConfigurationError/.test(message.text())) errors.push(message.text());
      });
      await page.goto(server.url + path);
      return page;
    },
  });
}

/** The network is back, and the browser says so: a backoff may be longer than a test. */
export const online = (page: Page): Promise<boolean> =>
  page.evaluate(() => dispatchEvent(new Event('online')));

/** Notices that a page was loaded again, because its memory is then gone. */
export async function mark(page: Page): Promise<() => Promise<boolean>> {
  await page.evaluate(() => Object.assign(globalThis, { isMarked: true }));
  return () => page.evaluate(() => 'isMarked' in globalThis);
}

/** All that IndexedDB holds, as text. @param of What the name of a database contains. */
export const inIndexedDB = (page: Page, of = ''): Promise<string> =>
  page.evaluate(async (of) => {
    const done = <T>(request: IDBRequest<T>): Promise<T> =>
      new Promise((resolve, reject) => {
        request.onsuccess = () => resolve(request.result);
        request.onerror = () => reject(request.error);
      });
    const textOf = (_: string, value: unknown): unknown =>
      value instanceof ArrayBuffer || ArrayBuffer.isView(value) ? new TextDecoder().decode(value) : value;
    const found: unknown[] = [];
    for (const { name = '' } of await indexedDB.databases()) {
      if (!name.includes(of)) continue;
      const database = await done(indexedDB.open(name));
      for (const store of database.objectStoreNames) {
        const records = database.transaction(store).objectStore(store);
        const [keys, values] = await Promise.all([done(records.getAllKeys()), done(records.getAll())]);
        found.push({ name, store, keys, values });
      }
      database.close();
    }
    return JSON.stringify(found, textOf);
  }, of);

/** Whether the memory of a page holds a text, after a collection of garbage. */
export async function isInMemory(page: Page, text: string): Promise<boolean> {
  const session = await page.context().newCDPSession(page);
  let snapshot = '';
  session.on('HeapProfiler.addHeapSnapshotChunk', ({ chunk }) => {
    snapshot += chunk;
  });
  await session.send('HeapProfiler.collectGarbage');
  await session.send('HeapProfiler.takeHeapSnapshot');
  await session.detach();
  expect(snapshot).not.toBe('');
  return snapshot.includes(text);
}
