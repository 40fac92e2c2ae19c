import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';

const read = (file: string): string => readFileSync(file, 'utf8');

const files = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => `src/${file}`);

const source = files.map(read).join('\n');

const formats = read('docs/formats.md');

/** The text below a heading of the page, up to the next one. */
const below = (heading: string): string => {
  const from = formats.indexOf(`\n${heading}\n`);
  expect(from, heading).toBeGreaterThan(0);
  const text = formats.slice(from + heading.length + 2);
  return text.slice(0, text.search(/^#/m) + 1 || undefined);
};

const named = (text: string): string[] => [...text.matchAll(/`([^`]+)`/g)].map(([, name = '']) => name);

const sorted = (names: Iterable<string>): string[] => [...new Set(names)].sort();

/** The literals of the unions that `begin` matches the beginning of. */
const unions = (code: string, begin: string): string[] =>
  [...code.matchAll(new RegExp(`${begin}((?:\\s*\\|?\\s*'[a-z-]+')+)`, 'g'))].flatMap(([, union = '']) =>
    [...union.matchAll(/'([a-z-]+)'/g)].map(([, name = '']) => name),
  );

describe('docs/formats.md', () => {
  test('each name that it lists as stored or sent stands in the source', () => {
    const names = [
      ...formats.matchAll(
        /`(holdfast[ -][\w -]*?|(?:entry|totals|id|key|result|pauses|lease|responses?|auth|body) )(?:<[^`]*)?`/g,
      ),
    ];
    expect(names.length).toBeGreaterThan(20);
    for (const [, name = ''] of names) expect(source, name).toContain(name.trimEnd());
  });

  test('lists each database, channel, lock, tag and header of the source', () => {
    const inPage = files
      .filter((file) => !file.startsWith('src/devtools/view/'))
      .map(read)
      .join('\n');
    const names = [...inPage.matchAll(/['`](holdfast(?:-[a-z]+)+|holdfast(?: [a-z]+)+)/g)];
    expect(names.length).toBeGreaterThan(15);
    for (const [, name = ''] of names) expect(formats, name).toMatch(new RegExp(`[\`']${name}`));
  });

  test('lists each kind of record', () => {
    const outbox = [...read('src/policies/outbox/queue/records.ts').matchAll(/[`']([a-z]+) (?:\$\{|')/g)];
    const cache = files
      .filter((file) => file.startsWith('src/policies/cache/store/'))
      .map(read)
      .join('\n');
    const responses = [...cache.matchAll(/'(responses?(?: [a-z]+)?) ?'/g)];
    const kinds = ['auth', 'body', ...[...outbox, ...responses].map(([, kind = '']) => kind)];
    expect(outbox.length).toBeGreaterThan(8);
    expect(responses.length).toBeGreaterThan(3);
    for (const kind of kinds) expect(formats, kind).toMatch(new RegExp(`^\\| \`${kind}( <|\`)`, 'm'));
  });

  test('lists each type of event, and no other', () => {
    const types = ['src/core/events.ts', 'src/policies/auth/options.ts'].flatMap((file) =>
      unions(read(file), 'readonly type:'),
    );
    expect(types.length).toBeGreaterThan(40);
    const listed = named(below('### Event types')).filter((name) => !name.includes('('));
    expect(sorted(listed)).toEqual(sorted(types));
  });

  test('lists each error code and each reason of an entry, and no other', () => {
    const codes = [
      ...[...source.matchAll(/\bcode: '([a-z-]+)'/g)].map(([, code = '']) => code),
      ...unions(source, '\\btype \\w*Code ='),
      ...unions(source, '\\(code:'),
      ...unions(source, "\\blimit: (?='total')").map((limit) => `timeout-${limit}`),
    ];
    const listed = [...named(below('### Error codes')), ...named(below('### Reasons of entries'))].filter(
      (name) => name !== 'createClient' && !name.startsWith('http-'),
    );
    expect(sorted(listed)).toEqual(sorted(codes));
  });
});
