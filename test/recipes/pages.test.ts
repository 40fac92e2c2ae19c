import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { compile } from 'svelte/compiler';
import { expect, test } from 'vitest';
import { compileScript, parse } from 'vue/compiler-sfc';

const FOLDER = 'docs/recipes';
const COMMAND = 'UPDATE=1 npm run test:recipes -- pages';

/** A file that a page shows: `<!-- file: name.ts -->` and a block of code. */
const SHOWN = /(<!-- file: (\S+) -->\n```tsx?\n)[\s\S]*?(```\n)/g;

const read = (file: string): string => readFileSync(`${FOLDER}/${file}`, 'utf8');

const files = readdirSync(FOLDER);
const pages = files.filter((file) => file.endsWith('.md') && file !== 'README.md');

test.each(pages)('%s shows its files as they are', (page) => {
  const found = read(page);
  const wanted = found.replace(SHOWN, (_, before, file, after) => before + read(file) + after);
  expect(found).toMatch(SHOWN);
  if (process.env.UPDATE) writeFileSync(`${FOLDER}/${page}`, wanted);
  else expect(found === wanted, `${page} is out of date; to write it: ${COMMAND}`).toBe(true);
});

test('every file is shown, or linked, by a page', () => {
  const all = pages.map(read).join('');
  const code = files.filter((file) => !file.endsWith('.md'));
  const unseen = code.filter((file) => !all.includes(`file: ${file} `) && !all.includes(`(${file})`));
  expect(unseen).toEqual([]);
});

test('every page is in the index, and the index in the README', () => {
  const index = read('README.md');
  expect(pages.filter((page) => !index.includes(`(${page})`))).toEqual([]);
  expect(readFileSync('README.md', 'utf8')).toContain(`(${FOLDER}/README.md)`);
});

test('every link leads to a file', () => {
  const links = files
    .filter((file) => file.endsWith('.md'))
    .flatMap((file) => [...read(file).matchAll(/\]\((?!https?:)([^)#]+)/g)].map(([, to]) => to ?? ''));
  for (const link of links) expect(() => read(link), link).not.toThrow();
});

const componentOf = (page: string, language: string): string =>
  new RegExp(`\`\`\`${language}\n([\\s\\S]*?)\`\`\``).exec(read(page))?.[1] ?? '';

test('the component of vue.md compiles', () => {
  const { descriptor, errors } = parse(componentOf('vue.md', 'vue'));
  expect(errors).toEqual([]);
  const { content } = compileScript(descriptor, { id: 'orders', inlineTemplate: true });
  expect(content).toContain('useOrders');
});

test('the component of svelte.md compiles without warnings', () => {
  const { js, warnings } = compile(componentOf('svelte.md', 'svelte'), {});
  expect(warnings).toEqual([]);
  expect(js.code).toContain('ordersOf');
});
