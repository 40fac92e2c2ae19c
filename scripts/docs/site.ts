import { globSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, posix } from 'node:path';

/** The pages of the site, as VitePress reads them. Not in git. */
export const PAGES = 'docs/.vitepress/pages';

/** Pages of the repository that are not in `docs/`, and their places in the site. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  'README.md': 'index.md',
  'CONTRIBUTING.md': 'contributing/index.md',
  'CHANGELOG.md': 'contributing/changes.md',
  'src/README.md': 'contributing/architecture.md',
  'playground/README.md': 'contributing/playground.md',
  'docs/README.md': 'pages.md',
  'docs/recipes/README.md': 'recipes/index.md',
  'examples/README.md': 'examples/index.md',
};

/** Writes the pages of the repository as pages of the site. The generated reference is written beside them. */
export function writePages(): void {
  const files = globSync([
    'docs/*.md',
    'docs/recipes/*.md',
    'examples/*/README.md',
    ...Object.keys(ELSEWHERE),
  ]);
  const places = new Map(files.map((file) => [file, placeOf(file)]));
  rmSync(PAGES, { recursive: true, force: true });
  for (const [file, place] of places) {
    if (file === 'README.md') continue;
    const target = join(PAGES, place);
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, forSite(readFileSync(file, 'utf8'), file, places));
  }
}

function placeOf(file: string): string {
  return (
    ELSEWHERE[file] ??
    file.replace(/^docs\//, '').replace(/^examples\/([^/]+)\/README\.md$/, 'examples/$1.md')
  );
}

/** A link to a page leads to its place; what is not in the site is not linked. Code stays as it is. */
function forSite(text: string, file: string, places: ReadonlyMap<string, string>): string {
  const from = posix.dirname(places.get(file) ?? file);
  return (
    text
      .split(/(^```[\s\S]*?^```$|`[^`\n]*`)/m)
      .map((part, index) =>
        index % 2 === 1
          ? part
          : part
              .replace(/<!-- file: .*? -->\n/g, '')
              .replace(/\]\((?!https?:|#)([^)\s#]+)(#[^)\s]*)?\)/g, (all, to: string, anchor = '') => {
                const place = places.get(posix.join(posix.dirname(file), to));
                if (to.startsWith('/')) return all;
                return place ? `](${posix.relative(from, place) || '.'}${anchor})` : '](§)';
              }),
      )
      .join('')
      .replace(/\[((?:`[^`\n]*`|\\.|[^\]\\`])*)\]\(§\)/g, '$1')
      // Footnotes, which VitePress does not know.
      .replace(/^\[\^(\w+)\]: /gm, '\n<a id="note-$1"></a>**$1**: ')
      .replace(/\[\^(\w+)\]/g, '<sup><a href="#note-$1">$1</a></sup>')
  );
}

export interface SidebarGroup {
  readonly text: string;
  readonly collapsed?: boolean;
  readonly items: readonly { readonly text: string; readonly link: string }[];
}

/** The groups and links of `docs/README.md`. */
export function sidebar(): SidebarGroup[] {
  const [, ...sections] = readFileSync('docs/README.md', 'utf8').split(/^## /m);
  return sections.map((section) => {
    const [text = ''] = section.split('\n');
    const items = [...section.matchAll(/\[([^\]]+)\]\(([^)]+)\)/g)].map(([, label = '', to = '']) => ({
      text: label[0]?.toUpperCase() + label.slice(1),
      link: `/${placeOf(posix.join('docs', to)).replace(/(index)?\.md$/, '')}`,
    }));
    if (text === 'Reference') items.push({ text: 'Every export', link: '/reference/' });
    return { text, items };
  });
}
