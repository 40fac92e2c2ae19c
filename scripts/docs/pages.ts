import { globSync, readFileSync } from 'node:fs';

/** A page of the documentation, read once. */
export interface Page {
  /** Path from the root of the repository. */
  readonly path: string;
  readonly anchors: ReadonlySet<string>;
  readonly links: readonly Link[];
  readonly blocks: readonly Block[];
  /** Paragraphs, list items and table cells, without code. */
  readonly prose: readonly Prose[];
  /** Everything, with code. */
  readonly text: string;
}

export interface Link {
  readonly to: string;
  readonly line: number;
}

/** A fenced block of code. */
export interface Block {
  readonly language: string;
  readonly code: string;
  /** Of its first line of code, from 1. */
  readonly line: number;
  /** The file that it shows, from the folder of the page: `<!-- file: … -->` in the line above. */
  readonly file: string | undefined;
}

export interface Prose {
  readonly text: string;
  readonly line: number;
}

const FILES = ['*.md', 'docs/**/*.md', 'examples/**/*.md', 'playground/*.md', 'src/*.md'];

/** Made by `npm run docs`. */
const GENERATED = /^docs\/(reference|\.vitepress)\/|node_modules/;

export function readPages(): Page[] {
  return globSync(FILES)
    .filter((path) => !GENERATED.test(path))
    .sort()
    .map((path) => readPage(path, readFileSync(path, 'utf8')));
}

export function readPage(path: string, text: string): Page {
  const anchors = new Set<string>();
  const links: Link[] = [];
  const blocks: Block[] = [];
  const prose: Prose[] = [];
  let block: { language: string; lines: string[]; line: number; file: string | undefined } | undefined;
  let before = '';
  let paragraph: { lines: string[]; line: number } | undefined;
  const endParagraph = (): void => {
    if (paragraph) prose.push({ text: plain(paragraph.lines.join(' ')), line: paragraph.line });
    paragraph = undefined;
  };

  for (const [index, line] of text.split('\n').entries()) {
    const fence = /^\s*```(\S*)/.exec(line);
    if (fence) {
      endParagraph();
      if (block) {
        const { lines, ...rest } = block;
        blocks.push({ ...rest, code: lines.join('\n') });
        block = undefined;
      } else {
        const [, file] = /^<!-- file: (\S+) -->$/.exec(before) ?? [];
        block = { language: fence[1] ?? '', lines: [], line: index + 2, file };
      }
      continue;
    }
    if (block) {
      block.lines.push(line);
      continue;
    }
    before = line;
    for (const [, to = ''] of line.replace(/`[^`]*`/g, '').matchAll(/\]\(([^)\s]+)\)/g))
      links.push({ to, line: index + 1 });
    const [, heading] = /^#+ (.*)/.exec(line) ?? [];
    if (heading !== undefined) {
      endParagraph();
      anchors.add(anchorOf(heading));
    } else if (/^\s*(<!--.*|:::.*|---.*|)$/.test(line)) endParagraph();
    else if (/^\s*\|/.test(line)) {
      endParagraph();
      for (const cell of line.split(/(?<!\\)\|/)) prose.push({ text: plain(cell), line: index + 1 });
    } else {
      if (/^\s*([-*]|\d+\.) /.test(line)) endParagraph();
      paragraph ??= { lines: [], line: index + 1 };
      paragraph.lines.push(line.replace(/^\s*([-*>]|\d+\.) /, ''));
    }
  }
  endParagraph();
  return { path, anchors, links, blocks, prose: prose.filter(({ text }) => text !== ''), text };
}

/** As GitHub makes it, and the site. */
export function anchorOf(heading: string): string {
  return heading
    .replace(/\[([^\]]*)\]\([^)]*\)/g, '$1')
    .toLowerCase()
    .replace(/[^\p{L}\p{N}\s_-]/gu, '')
    .replaceAll(' ', '-');
}

/** Code becomes one word, a link its text. */
function plain(text: string): string {
  return (
    text
      .replace(/`[^`]*`/g, 'code')
      .replace(/<[^>]*>/g, ' ')
      // The text of a link to a test is its title.
      .replace(/\[(?:\\.|[^\]\\])*\]\([^)]*test\/[^)]*\)/g, 'code')
      .replace(/!?\[([^\]]*)\]\([^)]*\)/g, '$1')
      .replace(/[*_]{1,2}/g, '')
      .replace(/\s+/g, ' ')
      .trim()
  );
}
