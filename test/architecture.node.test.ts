import { readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { describe, expect, test } from 'vitest';

const SRC = resolve('src');

const files = readdirSync(SRC, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.ts'));

/** The first folder of a path under `src`; the root's own files are `.`. */
const room = (file: string): string => (file.includes('/') ? (file.split('/')[0] as string) : '.');

const importsOf = (file: string): string[] =>
  // Examples in comments import what an application does.
  [
    ...readFileSync(join(SRC, file), 'utf8')
      .replace(/^ *\/?\*.*$/gm, '')
      .matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g),
  ].map(([, to]) => to as string);

const importLinesOf = (file: string): string[] =>
  readFileSync(join(SRC, file), 'utf8').match(/^import .*from '.*';$/gm) ?? [];

/** The rooms from which each room may import, besides itself. Arrows point inward. */
const MAY_IMPORT: Record<string, string[]> = {
  http: [],
  primitives: [],
  core: ['primitives'],
  policies: ['primitives', 'core', 'http'],
  stores: ['primitives', 'core'],
  client: ['primitives', 'core', 'http', 'policies', 'stores'],
  observability: ['primitives', 'core', 'http', 'policies'],
  adapters: ['primitives', 'core', 'http', 'policies', 'stores', 'client', 'observability'],
  testing: ['primitives', 'core'],
  // It shows events and values of an application, and imports only types of the policies.
  devtools: ['primitives', 'core', 'client', 'observability', 'policies'],
  '.': [
    'primitives',
    'core',
    'http',
    'policies',
    'stores',
    'client',
    'observability',
    'adapters',
    'devtools',
    'testing',
  ],
};

/** Packages, and the one room that may know of each. */
const PACKAGES: Record<string, string> = {
  ky: 'client',
  'idb-keyval': 'stores',
  '@opentelemetry/api': 'adapters',
};

describe('imports point inward', () => {
  test.each(files)('%s', (file) => {
    for (const to of importsOf(file)) {
      if (!to.startsWith('.')) {
        expect(PACKAGES[to], `${file} imports the package ${to}`).toBe(room(file));
        continue;
      }
      expect(to, 'imports name the file').toMatch(/\.ts$/);
      const target = room(relative(SRC, resolve(SRC, dirname(file), to)));
      if (target !== room(file)) expect(MAY_IMPORT[room(file)], `${file} imports ${to}`).toContain(target);
    }
  });

  test('every room is known', () => {
    expect([...new Set(files.map(room))].sort()).toEqual(Object.keys(MAY_IMPORT).sort());
  });

  test('the devtools know of policies by their types alone, and their model knows neither view nor client', () => {
    const imports = files
      .filter((file) => file.startsWith('devtools/'))
      .flatMap((file) => importLinesOf(file).map((line) => ({ file, line })));
    const values = imports.filter(({ line }) => /policies\//.test(line) && !line.startsWith('import type'));
    expect(values).toEqual([]);
    const outward = imports.filter(
      ({ file, line }) => file.startsWith('devtools/model/') && /'(\.\.\/)(view|\w+\.ts)/.test(line),
    );
    expect(outward).toEqual([]);
  });

  test('there are no circles', () => {
    const graph = new Map(
      files.map((file) => [
        file,
        importsOf(file)
          .filter((to) => to.startsWith('.'))
          .map((to) => relative(SRC, resolve(SRC, dirname(file), to))),
      ]),
    );
    const done = new Set<string>();
    const visit = (file: string, path: readonly string[]): void => {
      expect(path, `a circle of imports: ${[...path, file].join(' → ')}`).not.toContain(file);
      if (done.has(file)) return;
      for (const to of graph.get(file) ?? []) visit(to, [...path, file]);
      done.add(file);
    };
    for (const file of files) visit(file, []);
  });
});

describe('time, chance and the runtime come from the host', () => {
  const readsPlatform =
    /\bDate\.now|new Date\(\)|Math\.random|\bset(Timeout|Interval|Immediate)\(|\bperformance\.|AbortSignal\.timeout|\bprocess\.|node:|\bconsole\./;
  const inward = files.filter((file) => ['primitives', 'core', 'http', 'policies'].includes(room(file)));

  test.each(inward.filter((file) => !['primitives/clock.ts', 'core/host.ts'].includes(file)))(
    '%s',
    (file) => {
      const code = readFileSync(join(SRC, file), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '');
      expect(code).not.toMatch(readsPlatform);
    },
  );
});

describe('a folder and a file can be read at once', () => {
  test('no folder has more than sixteen files', () => {
    const folders = Object.groupBy(files, (file) => dirname(file));
    const full = Object.entries(folders).filter(([folder, all = []]) => folder !== '.' && all.length > 16);
    expect(full.map(([folder]) => folder)).toEqual([]);
  });

  test('no chain of imports within a folder is longer than eight files', () => {
    const depths = new Map<string, number>();
    const depthOf = (file: string): number => {
      const known = depths.get(file);
      if (known !== undefined) return known;
      const inner = importsOf(file)
        .map((to) => relative(SRC, resolve(SRC, dirname(file), to)))
        .filter((to) => dirname(to) === dirname(file) && files.includes(to));
      const depth = 1 + Math.max(0, ...inner.map(depthOf));
      depths.set(file, depth);
      return depth;
    };
    expect(files.filter((file) => dirname(file) !== '.' && depthOf(file) > 8)).toEqual([]);
  });

  const lines = (file: string): number => readFileSync(join(SRC, file), 'utf8').split('\n').length - 1;

  test('no file has more than 300 lines', () => {
    expect(files.filter((file) => lines(file) > 300)).toEqual([]);
  });

  test('a file of fewer than 40 lines is an entry, a function of http or primitives, or has types alone', () => {
    const hasTypesAlone = (file: string): boolean =>
      !/^(export )?(async )?(const|let|function|class|abstract) /m.test(
        readFileSync(join(SRC, file), 'utf8'),
      );
    const small = files.filter((file) => lines(file) < 40 && !hasTypesAlone(file));
    expect(small.filter((file) => !['.', 'http', 'primitives'].includes(room(file)))).toEqual([]);
  });
});

test('a call at the top of a file is marked as pure, so that bundles can leave it out', () => {
  const calls = files.flatMap((file) =>
    [
      ...readFileSync(join(SRC, file), 'utf8').matchAll(
        /^(?:export )?const \w+(?::[^=\n]+)? = [a-z]\w*(?:<.*>)?\(.*/gm,
      ),
    ].map(([line]) => `${file}: ${line}`),
  );
  expect(calls).toEqual([]);
});

test('the package has two dependencies', () => {
  const { dependencies } = JSON.parse(readFileSync('package.json', 'utf8')) as { dependencies: object };
  expect(Object.keys(dependencies).sort()).toEqual(['idb-keyval', 'ky']);
});

test('src/README.md names files that exist', () => {
  const text = readFileSync(join(SRC, 'README.md'), 'utf8');
  const named = [...text.matchAll(/`([\w/-]+\.ts)`|\bcore\/([a-z/-]+[a-z])(?=\s)/g)].map(
    ([, file, core]) => file ?? `core/${core}.ts`,
  );
  expect(named.length).toBeGreaterThan(30);
  expect(named.filter((file) => !files.some((each) => `/${each}`.endsWith(`/${file}`)))).toEqual([]);
});
