/**
 * Prints what the library weighs in an application, beside its peers.
 *
 * `--why` adds where the smallest bundle's bytes come from, `--json` prints figures for programs, `--check` fails when
 * a bundle is larger than its budget, or than what has been reached of it, `--write` writes the tables of the documentation.
 */
import { parseArgs } from 'node:util';
import { type Budget, size as budgets, limitOf } from './budgets.ts';
import { writeSizes } from './size/documents.ts';
import { type Size, sizeOf } from './size/measure.ts';
import { table } from './table.ts';

const { values: asked } = parseArgs({
  options: {
    why: { type: 'boolean' },
    json: { type: 'boolean' },
    check: { type: 'boolean' },
    write: { type: 'boolean' },
  },
});

interface Product {
  readonly name: string;
  readonly entry: URL;
  readonly budget?: Budget;
}

const smallest: Product = {
  name: 'createFetch: timeout, retry, breaker',
  entry: new URL('./size/create-fetch.ts', import.meta.url),
  budget: budgets.createFetch,
};

const products: readonly Product[] = [
  smallest,
  {
    name: 'the same with staleCache',
    entry: new URL('./size/with-cache.ts', import.meta.url),
    budget: budgets.withCache,
  },
  {
    name: 'the same with outbox',
    entry: new URL('./size/with-outbox.ts', import.meta.url),
    budget: budgets.withOutbox,
  },
  {
    name: 'the same with both',
    entry: new URL('./size/with-both.ts', import.meta.url),
    budget: budgets.withBoth,
  },
  { name: 'the same with auth', entry: new URL('./size/with-auth.ts', import.meta.url) },
  { name: 'the same with metrics', entry: new URL('./size/with-metrics.ts', import.meta.url) },
  { name: 'the same with logs and telemetry', entry: new URL('./size/with-logs.ts', import.meta.url) },
  {
    name: 'the same with health, connectivity, batch',
    entry: new URL('./size/with-health.ts', import.meta.url),
  },
  { name: 'sqlStore', entry: new URL('./size/with-sql.ts', import.meta.url) },
  {
    name: 'devtools, for development',
    entry: new URL('./size/devtools.ts', import.meta.url),
    budget: budgets.devtools,
  },
  { name: 'ffetch', entry: new URL('./size/ffetch.ts', import.meta.url) },
  { name: 'cockatiel: timeout, retry, breaker', entry: new URL('./size/cockatiel.ts', import.meta.url) },
  {
    name: 'every policy, staleCache, outbox',
    entry: new URL('./size/all-without-ky.ts', import.meta.url),
    budget: budgets.allWithoutKy,
  },
  { name: 'ky', entry: new URL('./size/ky.ts', import.meta.url) },
  {
    name: 'the same with ky: createClient',
    entry: new URL('./size/all-with-ky.ts', import.meta.url),
    budget: budgets.allWithKy,
  },
  {
    name: 'ky + cockatiel + workbox-background-sync + idb-keyval',
    entry: new URL('./size/today.ts', import.meta.url),
  },
];

const measured = await Promise.all(
  products.map(async (product) => ({ ...product, ...(await sizeOf(product.entry)) })),
);
const grown = measured.filter(({ brotli, budget }) => budget && brotli > limitOf(budget) * 1000);

if (asked.json) console.log(JSON.stringify(measured.map(forPrograms), undefined, 2));
else {
  console.log(table(['kB, minified by esbuild', 'min', 'gzip', 'brotli', 'budget', ''], measured.map(row)));
  const [first] = measured;
  if (asked.why && first) console.log(`\nWhere ${smallest.name} comes from\n\n${origins(first)}`);
}
if (asked.write) await writeSizes();
if (asked.check)
  for (const { name, brotli, budget } of grown) {
    console.error(`${name}: ${kB(brotli)} kB, at most ${budget && limitOf(budget)} kB is allowed`);
    process.exitCode = 1;
  }

function row({ name, minified, gzip, brotli, budget }: Product & Size): string[] {
  const held = budget && (brotli > limit(budget) ? `at most ${limitOf(budget)} so far` : 'holds');
  return [name, kB(minified), kB(gzip), kB(brotli), budget ? `≤ ${budget.most.toFixed(1)}` : '', held ?? ''];
}

function forPrograms({ name, minified, gzip, brotli, budget }: Product & Size): object {
  return {
    name,
    minified,
    gzip,
    brotli,
    ...(budget && { budget: limit(budget), holds: brotli <= limit(budget) }),
  };
}

/** Compression works on the whole, so a file's part of the compressed bytes is an estimate. */
function origins({ files, minified, brotli }: Size): string {
  return table(
    ['file', 'min', 'share', '≈ brotli'],
    files.map(([file, bytes]) => [
      file,
      String(bytes),
      `${((100 * bytes) / minified).toFixed(1)} %`,
      String(Math.round((brotli * bytes) / minified)),
    ]),
  );
}

function kB(bytes: number): string {
  return (bytes / 1000).toFixed(2);
}

function limit({ most }: Budget): number {
  return most * 1000;
}
