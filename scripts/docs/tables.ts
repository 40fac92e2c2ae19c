import type { Page } from './pages.ts';

/** Rows of tables that have not as many cells as the row above: a table that a program has written was cut off. */
export function brokenTables(pages: readonly Page[]): string[] {
  return pages.flatMap(({ path, text }) => {
    let cells: number | undefined;
    let isCode = false;
    return text.split('\n').flatMap((line, index) => {
      if (/^\s*```/.test(line)) isCode = !isCode;
      const found = !isCode && /^\s*\|/.test(line) ? cellsOf(line) : undefined;
      const isBroken = found !== undefined && cells !== undefined && found !== cells;
      cells = found;
      return isBroken ? [`${path}:${index + 1}: a row of ${found} cells in a table of others`] : [];
    });
  });
}

/** A bar in code or behind a backslash ends no cell. */
const cellsOf = (line: string): number =>
  line
    .trim()
    .replace(/\\\||`[^`]*`/g, '')
    .split('|').length - 2;
