import { globSync, readFileSync } from 'node:fs';
import ts from 'typescript';
import { declaredBy, identifiersIn } from './code.ts';
import { exportsOf } from './exports.ts';
import type { Block, Page } from './pages.ts';

/** The examples of the docstrings, a page for each file. What an example uses of the library is imported for it. */
export function readExamples(): Page[] {
  const entryOf = new Map<string, string>();
  const entries: Record<string, string> = JSON.parse(readFileSync('deno.json', 'utf8')).exports;
  for (const [entry, file] of Object.entries(entries))
    for (const name of exportsOf(file)) entryOf.set(name, `holdfast${entry.slice(1)}`);
  return globSync('src/**/*.ts')
    .sort()
    .map((path) => {
      const text = readFileSync(path, 'utf8');
      const blocks = examplesIn(text).map((block) => withImports(block, entryOf));
      return { path, text, blocks, anchors: new Set(), links: [], prose: [] };
    });
}

/** In a docstring an example ends with the comment, or with the next tag. */
function examplesIn(text: string): Block[] {
  const pattern = /^ \* @example\n((?: \*(?!\/| @).*\n)+)/gm;
  return [...text.matchAll(pattern)].map(({ 1: lines = '', index }) => ({
    language: 'ts',
    code: lines.replace(/^ \* ?/gm, ''),
    line: text.slice(0, index).split('\n').length + 1,
    file: undefined,
  }));
}

function withImports(block: Block, entryOf: ReadonlyMap<string, string>): Block {
  const source = ts.createSourceFile('example.ts', block.code, ts.ScriptTarget.ESNext, true);
  const declared = declaredBy(source);
  const imports = [...identifiersIn(source)]
    .filter((name) => entryOf.has(name) && !declared.has(name))
    .map((name) => `import { ${name} } from '${entryOf.get(name)}';`);
  return { ...block, code: `${imports.join(' ')} ${block.code}` };
}
