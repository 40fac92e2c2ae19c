import { globSync, readFileSync, statSync } from 'node:fs';
import { expect, test } from 'vitest';

const read = (file: string): string => readFileSync(file, 'utf8');

/** The codes in the first column of a table. */
const codesIn = (text: string): string[] =>
  text
    .split('\n')
    .filter((line) => line.startsWith('| `'))
    .flatMap((line) =>
      [...(line.split(' | ')[0] ?? '').matchAll(/`([\w-]+)`/g)].map(([, code = '']) => code),
    );

test('the README has at most 120 lines', () => {
  expect(read('README.md').split('\n').length).toBeLessThanOrEqual(121);
});

test('the pictures of the README are those of docs/pictures, and have less than 150 kB together', () => {
  const pictures = globSync('docs/pictures/*');
  const shown = [...read('README.md').matchAll(/!\[[^\]]+\]\(([^)]+)\)/g)].map(([, file]) => file);
  expect(shown.sort()).toEqual(pictures.sort());
  expect(pictures.reduce((sum, file) => sum + statSync(file).size, 0)).toBeLessThan(150_000);
});

test('docs/troubleshooting.md has a row for each code of docs/errors-and-events.md', () => {
  const [, codes = ''] = /\n## Codes\n([\s\S]*?)\n## /.exec(read('docs/errors-and-events.md')) ?? [];
  expect(codesIn(codes).length).toBeGreaterThan(20);
  expect(codesIn(read('docs/troubleshooting.md'))).toEqual(expect.arrayContaining(codesIn(codes)));
});

test('docs/README.md links every page', () => {
  const linked = read('docs/README.md');
  const pages = globSync('*.md', { cwd: 'docs' }).filter((page) => !['README.md', 'index.md'].includes(page));
  expect(pages.filter((page) => !linked.includes(`(${page})`))).toEqual([]);
});
