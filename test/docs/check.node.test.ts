import { describe, expect, test } from 'vitest';
import { brokenCode } from '../../scripts/docs/code.ts';
import { brokenInDeno } from '../../scripts/docs/deno.ts';
import { deadLinks } from '../../scripts/docs/links.ts';
import { readPage } from '../../scripts/docs/pages.ts';
import { read } from '../../scripts/docs/prose.ts';
import { deno } from '../../tools/runtimes/installed.ts';

const page = (...lines: string[]) => readPage('docs/page.md', lines.join('\n'));
const block = (...code: string[]) => ['```ts', ...code, '```'];

describe('links of a page', () => {
  test('a link to a file that does not exist is a problem', () => {
    expect(deadLinks([page('', 'See [it](nowhere.md).')])).toEqual([
      'docs/page.md:2: nowhere.md leads to no file',
    ]);
  });

  test('a link to a heading that does not exist is a problem', () => {
    const target = readPage('docs/ky.md', '# ky\n\n## As close to ky as it gets');
    const links = page('[a](ky.md#as-close-to-ky-as-it-gets), [b](ky.md#as-far)');
    expect(deadLinks([links, target])).toEqual(['docs/page.md:1: ky.md#as-far leads to no heading']);
  });

  test('a link to another site and a link in code are no problems', () => {
    expect(
      deadLinks([page('[a](https://example.com/x), `[b](nowhere.md)`', ...block('// [c](nowhere.md)'))]),
    ).toEqual([]);
  });
});

describe('code of a page', () => {
  test('a block compiles alone or with the names of an earlier block; else it is a problem, with its line', () => {
    const wrong = page('# Page', '', ...block("import { retry } from 'holdfast';", 'retry({ limitt: 1 });'));
    const first = block("import { createFetch } from 'holdfast';", 'const fetch = createFetch();');
    const second = block(
      'createFetch({ retry: 1 });',
      "fetch('/', { holdfast: { retry: 0 } });",
      'fetch(1);',
    );
    const continued = readPage('docs/other.md', [...first, ...second].join('\n'));
    expect(brokenCode([wrong, continued])).toEqual([
      expect.stringMatching(/^docs\/page\.md:5: .*limitt/),
      expect.stringContaining('docs/other.md:8: '),
    ]);
  });

  test.skipIf(!deno && !process.env.CI)(
    'a block of the page for Deno has the types of Deno; else it is a problem, with its line',
    () => {
      const first = block("import { createFetch } from 'holdfast';", 'const fetch = createFetch();');
      const second = block('await fetch(Deno.args[0]!);', "Deno.exit('0');");
      const broken = brokenInDeno(deno ?? 'deno', [
        readPage('docs/deno.md', [...first, ...second].join('\n')),
        page(...block('Deno.nothing();')),
      ]);
      expect(broken).toEqual([expect.stringMatching(/^docs\/deno\.md:7: deno check: .*'string'/)]);
    },
  );

  test('a block that says no-check is left out', () => {
    expect(brokenCode([page('```ts no-check', 'nothing();', '```')])).toEqual([]);
  });
});

describe('prose of a page', () => {
  const words = (count: number) => `${'word '.repeat(count).trim()}.`;

  test('a sentence of more than 25 words is long, over lines and list items', () => {
    const { sentences, long } = read(page(`- ${words(25)} ${words(20)}`, `  ${words(6)}`, '', words(26)));
    expect([sentences, long.length]).toEqual([4, 1]);
  });

  test('the cells of a table are sentences, and labels are none', () => {
    expect(read(page(`| label | ${words(26)} |`))).toMatchObject({ sentences: 1, long: [{ line: 1 }] });
  });

  test('a banned word is a problem, but not in code', () => {
    expect(read(page('Nobody reads it.', '', 'The `answers` are', 'stale.')).banned).toEqual([
      'docs/page.md:1: "Nobody" (name the subject)',
    ]);
  });
});
