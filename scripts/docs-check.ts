/**
 * Holds the documentation to its word: links lead somewhere, tables are whole, code compiles, every export has a page,
 * sentences are short and words are those of the glossary. `--pages` prints the share of long sentences of each page, `--write`
 * updates the files that pages show.
 */
import { parseArgs } from 'node:util';
import { deno } from '../tools/runtimes/installed.ts';
import { brokenCode } from './docs/code.ts';
import { brokenInDeno } from './docs/deno.ts';
import { readExamples } from './docs/examples.ts';
import { unnamedExports } from './docs/exports.ts';
import { deadLinks } from './docs/links.ts';
import { type Page, readPages } from './docs/pages.ts';
import { LONG_SHARE, type Reading, read, shareOf } from './docs/prose.ts';
import { outdatedFiles, writeFiles } from './docs/shown.ts';
import { brokenTables } from './docs/tables.ts';

const { values: asked } = parseArgs({ options: { pages: { type: 'boolean' }, write: { type: 'boolean' } } });

if (asked.write) writeFiles(readPages());
const pages = readPages();
const examples = readExamples();
const readings = pages.filter(({ path }) => /^(README\.md|docs\/)/.test(path)).map(read);
if (asked.pages) for (const reading of readings) console.log(summary(reading));

const problems = [
  ...deadLinks(pages),
  ...brokenTables(pages),
  ...outdatedFiles(pages),
  ...brokenCode([...pages, ...examples]),
  ...(deno ? brokenInDeno(deno, pages) : []),
  ...unnamedExports(pages),
  ...readings.flatMap(hardToRead),
];
for (const problem of problems) console.error(problem);
const count = (all: readonly Page[]): number => all.reduce((sum, page) => sum + page.blocks.length, 0);
console.log(
  `${pages.length} pages, ${count(pages)} blocks, ${count(examples)} examples: ${problems.length || 'no'} problems`,
);
if (!deno) console.log('There is no Deno here: its blocks were checked by tsc only.');
if (problems.length > 0) process.exitCode = 1;

function hardToRead(reading: Reading): string[] {
  const { path, long, banned } = reading;
  if (shareOf(reading) <= LONG_SHARE) return [...banned];
  return [...banned, ...long.map(({ text, line }) => `${path}:${line}: more than 25 words: ${text}`)];
}

function summary(reading: Reading): string {
  const { path, long, sentences, banned } = reading;
  const share = `${(100 * shareOf(reading)).toFixed(1)} %`;
  return `${path}: ${long.length} of ${sentences} sentences are long (${share}), ${banned.length} banned words`;
}
