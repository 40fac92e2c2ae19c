/** The tables of sizes in the documentation, between `<!-- size: … -->` and `<!-- /size -->`. */
import { readFileSync, writeFileSync } from 'node:fs';
import { sizeOf } from './measure.ts';

const BASE = 'createFetch';

/** What an application may import besides `createFetch`, and from which entry. */
const IMPORTS: readonly (readonly [names: string, entry?: string])[] = [
  ['dedupe'],
  ['fallback'],
  ['bulkhead'],
  ['rateLimit'],
  ['hedge'],
  ['failover'],
  ['strategies'],
  ['telemetry'],
  ['breaker'],
  ['auth'],
  ['staleCache'],
  ['outbox'],
  ['outbox, staleCache'],
  ['encryptWith, deviceKey', 'holdfast/encryption'],
  ['userMessage', 'holdfast/log'],
  ['metrics', 'holdfast/metrics'],
  ['serviceWorker, sharedSession', 'holdfast/service-worker'],
];

const TABLES: Readonly<Record<string, () => Promise<string>>> = {
  async imports() {
    const base = await kBOf(`export { ${BASE} } from 'holdfast';`);
    const rows = await Promise.all(
      IMPORTS.map(async ([names, entry = 'holdfast']) => {
        const size = await kBOf(`export { ${BASE} } from 'holdfast'; export { ${names} } from '${entry}';`);
        return `| \`${names.replaceAll(', ', '`, `')}\` | + ${(size - base).toFixed(1)} |`;
      }),
    );
    const client = await kBOf("export { createClient } from 'holdfast';");
    return [
      '| import | kB |',
      '|---|---|',
      `| \`${BASE}\`: time limits, retry, breaker | ${base.toFixed(1)} |`,
      ...rows,
      `| \`createClient\` in place of \`${BASE}\`: with ky | + ${(client - base).toFixed(1)} |`,
    ].join('\n');
  },
  async short() {
    const kB = async (names: string) => (await kBOf(`export { ${names} } from 'holdfast';`)).toFixed(1);
    return [
      '| you import | kB |',
      '|---|---|',
      `| \`createFetch\` | ${await kB('createFetch')} |`,
      `| \`createFetch\`, \`staleCache\` | ${await kB('createFetch, staleCache')} |`,
      `| \`createFetch\`, \`outbox\` | ${await kB('createFetch, outbox')} |`,
      `| \`createFetch\`, \`staleCache\`, \`outbox\` | ${await kB('createFetch, staleCache, outbox')} |`,
      `| \`createClient\` (with ky), \`staleCache\`, \`outbox\` | ${await kB('createClient, staleCache, outbox')} |`,
    ].join('\n');
  },
  async peers() {
    const kB = async (file: string) =>
      ((await sizeOf(new URL(file, import.meta.url))).brotli / 1000).toFixed(1);
    const [least, most] = [await kB('create-fetch.ts'), await kB('all-with-ky.ts')];
    return [
      '| | kB |',
      '|---|---|',
      `| ffetch | ${await kB('ffetch.ts')} |`,
      `| cockatiel: time limit, retry, breaker | ${await kB('cockatiel.ts')} |`,
      `| ky | ${await kB('ky.ts')} |`,
      `| ky, cockatiel, Workbox background sync, idb-keyval | ${await kB('today.ts')} |`,
      `| holdfast | [${least} to ${most}](performance.md#size) |`,
    ].join('\n');
  },
};

const PAGES = ['README.md', 'docs/compare.md', 'docs/performance.md', 'docs/which-policy.md'];

export async function writeSizes(): Promise<void> {
  const tables = new Map<string, string>();
  for (const [name, make] of Object.entries(TABLES)) tables.set(name, await make());
  for (const page of PAGES) {
    const text = readFileSync(page, 'utf8');
    writeFileSync(
      page,
      text.replace(/(<!-- size: (\w+) -->\n)[\s\S]*?(<!-- \/size -->)/g, (all, before, name, after) =>
        tables.has(name) ? `${before}${tables.get(name)}\n${after}` : all,
      ),
    );
  }
}

async function kBOf(code: string): Promise<number> {
  return (await sizeOf(code)).brotli / 1000;
}
