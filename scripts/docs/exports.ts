import { readFileSync } from 'node:fs';
import ts from 'typescript';
import type { Page } from './pages.ts';

/** Values that an entry exports and no page names. Types are in the generated reference. */
export function unnamedExports(pages: readonly Page[]): string[] {
  const entries: Record<string, string> = JSON.parse(readFileSync('deno.json', 'utf8')).exports;
  const text = pages
    .filter(({ path }) => path === 'README.md' || path.startsWith('docs/'))
    .map((page) => page.text)
    .join('\n');
  const named = new Set(text.match(/[\w$]+/g));
  return Object.entries(entries).flatMap(([entry, file]) =>
    valuesOf(file)
      .filter((name) => !named.has(name))
      .map((name) => `holdfast${entry.slice(1)}: no page names ${name}`),
  );
}

/** The names that `export { … } from` gives a module at run time. Entries have no other exports. */
function valuesOf(file: string): string[] {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest);
  return source.statements
    .filter(ts.isExportDeclaration)
    .flatMap(({ exportClause, isTypeOnly }) =>
      exportClause && ts.isNamedExports(exportClause) && !isTypeOnly
        ? exportClause.elements.filter((element) => !element.isTypeOnly).map(({ name }) => name.text)
        : [],
    );
}

/** All names that `export { … } from` gives a module, types as well. */
export function exportsOf(file: string): string[] {
  const source = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.Latest);
  return source.statements
    .filter(ts.isExportDeclaration)
    .flatMap(({ exportClause }) =>
      exportClause && ts.isNamedExports(exportClause)
        ? exportClause.elements.map(({ name }) => name.text)
        : [],
    );
}
