import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { Page } from './pages.ts';

/** Blocks that show a file, and are not as the file is. */
export function outdatedFiles(pages: readonly Page[]): string[] {
  return pages.flatMap(({ path, blocks }) =>
    blocks.flatMap(({ file, code, line }) => {
      if (file === undefined) return [];
      const shown = join(dirname(path), file);
      if (!existsSync(shown)) return [`${path}:${line}: there is no ${shown}`];
      return `${code}\n` === readFileSync(shown, 'utf8')
        ? []
        : [`${path}:${line}: ${shown} has changed; npm run docs:check -- --write`];
    }),
  );
}

/** Writes into the pages what the files are. */
export function writeFiles(pages: readonly Page[]): void {
  for (const { path, text } of pages) {
    const written = text.replace(
      /(<!-- file: (\S+) -->\n```\w+\n)[\s\S]*?(```\n)/g,
      (_, before: string, file: string, after: string) =>
        before + readFileSync(join(dirname(path), file), 'utf8') + after,
    );
    if (written !== text) writeFileSync(path, written);
  }
}
