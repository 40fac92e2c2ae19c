import { existsSync } from 'node:fs';
import { join, posix } from 'node:path';
import type { Page } from './pages.ts';

/** Links that lead to no file, or to no heading of a page. Other sites are not visited. */
export function deadLinks(pages: readonly Page[]): string[] {
  const byPath = new Map(pages.map((page) => [page.path, page]));
  return pages.flatMap(({ path, links }) =>
    links.flatMap(({ to, line }) => {
      if (/^(https?|mailto):/.test(to)) return [];
      const [file = '', anchor] = to.split('#');
      const target = file === '' ? path : posix.join(posix.dirname(path), decodeURI(file));
      if (!existsSync(join('.', target))) return [`${path}:${line}: ${to} leads to no file`];
      const page = byPath.get(target);
      return page && anchor && !page.anchors.has(anchor)
        ? [`${path}:${line}: ${to} leads to no heading`]
        : [];
    }),
  );
}
