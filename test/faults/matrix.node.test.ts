import { readFile, writeFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { COMMAND, document } from './matrix/document.ts';
import { expected } from './matrix/expected.ts';
import { notes } from './matrix/notes.ts';
import { missingPairs } from './matrix/pairs.ts';

const PAGE = 'docs/fault-matrix.md';

test('the matrix has every pair of fault, policies, method and frequency', () => {
  expect(missingPairs(expected)).toEqual([]);
});

test('the matrix refers to every footnote', () => {
  const given = new Set(expected.flatMap(({ but }) => but.map(({ why }) => why)));
  expect([...given].sort()).toEqual(Object.keys(notes).sort());
});

test(`${PAGE} shows the expectations`, async () => {
  const wanted = document();
  if (process.env.UPDATE) await writeFile(PAGE, wanted);
  const found = await readFile(PAGE, 'utf8').catch(() => '');
  expect(found === wanted, `${PAGE} is out of date; to write it: ${COMMAND}`).toBe(true);
});
