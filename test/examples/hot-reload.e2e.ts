/** The first example of the README as a module under a real Vite, edited while its page is open. */
import { readFileSync } from 'node:fs';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import type { Page } from 'playwright';
import { afterEach, describe, expect } from 'vitest';
import { apps, inChromium, mark, online, PATIENTLY } from './apps.ts';

const BASE_URL = "'https://api.example.com/'";
const [, example = ''] = /```ts\n([\s\S]*?)```/.exec(readFileSync('README.md', 'utf8')) ?? [];

/** Each evaluation of the module reads the orders, and writes one. */
const MODULE = `
const user = { id: 'ann' };
const order = { id: crypto.randomUUID() };
const shown = globalThis.shown ??= [];
const show = (text) => shown.push(text);
${example.replace(BASE_URL, "location.origin + '/api/'")}
show('read ' + orders.length);
`;

const page = (script: string): string => `<!doctype html><script type="module" src="/${script}"></script>`;

const SECOND = `
import { createClient, outbox } from 'holdfast';
const client = (path) =>
  createClient({ name: 'shop', baseUrl: location.origin + path, partition: 'ann', outbox: outbox() });
client('/api/one/');
client('/api/two/');
`;

const app = apps(
  {
    'hot.html': page('hot.ts'),
    'hot.ts': "import './example.ts';\nimport.meta.hot.accept();\n",
    'plain.html': page('plain.ts'),
    'plain.ts': "import './example.ts';\n",
    'two.html': page('two.ts'),
    'two.ts': SECOND,
    'example.ts': MODULE,
  },
  respond,
);

/** How often each write took effect, by its key. */
let writes = new Map<string, number>();
afterEach(() => {
  writes = new Map();
});

async function respond(request: IncomingMessage, response: ServerResponse): Promise<void> {
  const key = request.headers['idempotency-key']?.toString();
  await text(request);
  if (key) writes.set(key, (writes.get(key) ?? 0) + 1);
  response.writeHead(key ? 201 : 200, { 'Content-Type': 'application/json' }).end(key ? '{}' : '[]');
}

/** How often the module was evaluated to its end, in this page. */
const runs = (page: Page) => (): Promise<number> =>
  page.evaluate(() => {
    const { shown = [] } = globalThis as { shown?: string[] };
    return shown.filter((text) => text.startsWith('read')).length;
  });

describe.each([
  { way: 'accepted by its importer', path: 'hot.html', isHot: true },
  { way: 'reloaded with its page', path: 'plain.html', isHot: false },
])('a module that is $way', ({ way, path, isHot }) => {
  /** Edits the module, and waits until it has run. */
  async function edit(page: Page): Promise<void> {
    const before = isHot ? await runs(page)() : 0;
    const isSamePage = await mark(page);
    await app().touch('example.ts');
    await expect.poll(() => isSamePage().catch(() => undefined), PATIENTLY).toBe(isHot);
    await expect.poll(() => runs(page)().catch(() => undefined), PATIENTLY).toBe(before + 1);
    expect(await isSamePage()).toBe(isHot);
  }

  const deliveries = () => [...writes.values()];

  inChromium(`a module ${way} that is edited while nothing waits delivers each write once`, async () => {
    const page = await app().open(path);
    await expect.poll(runs(page), PATIENTLY).toBe(1);
    for (const _ of [1, 2, 3]) await edit(page);
    await expect.poll(deliveries, PATIENTLY).toEqual([1, 1, 1, 1]);
    expect(app().errors).toEqual([]);
  });

  inChromium(`a module ${way} that is edited while writes wait delivers each write once`, async () => {
    const page = await app().open(path);
    await expect.poll(runs(page), PATIENTLY).toBe(1);
    await expect.poll(deliveries, PATIENTLY).toEqual([1]);
    app().origin.vanish('POST');
    for (const _ of [1, 2, 3]) await edit(page);
    expect(deliveries()).toEqual([1]);
    app().origin.heal();
    await online(page);
    await expect.poll(deliveries, PATIENTLY).toEqual([1, 1, 1, 1]);
    expect(app().errors).toEqual([]);
  });

  inChromium(
    `a module ${way} that is edited while a write is in flight delivers each write once`,
    async () => {
      app().origin.hold('POST');
      const page = await app().open(path);
      await expect.poll(() => app().origin.held, PATIENTLY).toBe(1);
      await expect.poll(runs(page), PATIENTLY).toBe(1);
      for (const _ of [1, 2]) await edit(page);
      app().origin.heal();
      await expect.poll(deliveries, PATIENTLY).toEqual([1, 1, 1]);
      expect(app().errors).toEqual([]);
    },
  );
});

inChromium(
  'two clients of one name with different base URLs in a page are a ConfigurationError',
  async () => {
    await app().open('two.html');
    await expect
      .poll(() => app().errors, PATIENTLY)
      .toEqual([expect.stringMatching(/ConfigurationError.*both called 'shop'/)]);
  },
);
