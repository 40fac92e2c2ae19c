import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { findingsIn, findingsInTest, piecesOf, type Vocabulary, wordsOf } from './support/vocabulary.ts';

/** Folders and files that speak the words of `docs/glossary.md`. */
const COVERED: readonly string[] = [
  'src/testing',
  'src/policies',
  'src/http',
  'src/client',
  'src/adapters',
  'src/observability',
  'src/primitives',
  'src/core',
  'src/stores',
  'src/devtools',
  'src/devtools.ts',
];

const vocabulary: Vocabulary = {
  names: new Map(
    Object.entries({
      answer: 'response, or result for a queued write',
      answered: 'responded, or a verb that says what happened',
      answers: 'responses, or results for queued writes',
      bury: 'deadLetter',
      burial: 'deadLetter',
      codec: 'cipher',
      crew: 'pipelines',
      desk: 'cache',
      doubt: 'unconfirmed',
      doubted: 'unconfirmed',
      doubtful: 'unconfirmed',
      epoch: 'generation',
      fate: 'outcome, or state',
      forget: 'delete, drop, or evict',
      forgets: 'deletes, drops, or evicts',
      forgot: 'deleted, or dropped',
      forgotten: 'deleted, dropped, or abandoned',
      hear: 'receive',
      heard: 'received, or onMessage',
      hearsay: 'message',
      home: 'pipeline',
      hopeless: 'terminal',
      intake: 'accept',
      judge: 'evaluate',
      judged: 'evaluated',
      keeper: 'cache',
      lasting: 'pending',
      leftovers: 'cleanup',
      meanwhile: 'say what happened in between',
      news: 'event, or message',
      nobody: 'none',
      overdue: 'deadline, or timeout',
      packed: 'encrypted, or record',
      packing: 'record',
      patience: 'timeout',
      patient: 'with a timeout',
      patiently: 'with a timeout',
      elsewhere: 'remote',
      revive: 'requeue',
      revived: 'requeued',
      seal: 'encrypt, or cipher',
      sealed: 'encrypted',
      sealing: 'encrypting',
      shelf: 'store',
      somebody: 'name the party',
      tell: 'notify, emit, or broadcast',
      tells: 'notifies, emits, or broadcasts',
      thrift: 'saveData',
      told: 'notified, or emitted',
      trouble: 'failure',
      unsealed: 'decrypted',
      vault: 'store',
      verdict: 'outcome',
      who: 'name the party',
      whoever: 'name the party',
      whose: 'partition, or owner',
    }),
  ),
  prose: new Map(
    Object.entries({
      everybody: 'a noun',
      heard: 'received',
      meanwhile: 'say what happened in between',
      nobody: 'a noun, or "no caller"',
      somebody: 'a noun',
      told: 'notified, or an active verb',
      who: 'a noun',
      whoever: 'a noun',
      whom: 'a noun',
    }),
  ),
};

const files = readdirSync('src', { recursive: true, encoding: 'utf8' })
  .filter((file) => file.endsWith('.ts'))
  .map((file) => `src/${file}`);

const filesOf = (covered: string): string[] =>
  files.filter((file) => file === covered || file.startsWith(`${covered}/`));

test.each(COVERED)('vocabulary: %s speaks the words of the glossary', (covered) => {
  const found = filesOf(covered)
    .flatMap((file) => findingsIn(file, readFileSync(file, 'utf8'), vocabulary))
    .map(({ file, line, word, instead }) => `${file}:${line}: '${word}': write ${instead}`);
  expect(found).toEqual([]);
});

/** Folders of tests whose comments and titles do the same. */
const COVERED_TESTS: readonly string[] = [
  'test/adapters',
  'test/client',
  'test/contracts',
  'test/core',
  'test/devtools',
  'test/examples',
  'test/faults',
  'test/http',
  'test/observability',
  'test/package',
  'test/policies',
  'test/primitives',
  'test/recipes',
  'test/simulation',
  'test/stores',
  'test/support',
  'test/types',
  'tools',
];

test.each(COVERED_TESTS)(
  'vocabulary: titles and comments of %s speak the words of the glossary',
  (covered) => {
    const found = readdirSync(covered, { recursive: true, encoding: 'utf8' })
      .filter((file) => /\.tsx?$/.test(file))
      .map((file) => `${covered}/${file}`)
      .flatMap((file) => findingsInTest(file, readFileSync(file, 'utf8'), vocabulary))
      .map(({ file, line, word, instead }) => `${file}:${line}: '${word}': write ${instead}`);
    expect(found).toEqual([]);
  },
);

test('vocabulary: an exported name stands in one file of src', () => {
  const exporting = new Map<string, string[]>();
  for (const file of COVERED.flatMap(filesOf)) {
    const declared = readFileSync(file, 'utf8').matchAll(
      /^export (?:declare |abstract |async )*(?:function\*?|const|let|class|interface|type|enum) (\w+)/gm,
    );
    for (const [, name = ''] of declared) exporting.set(name, [...(exporting.get(name) ?? []), file]);
  }
  const twice = [...exporting].filter(([, places]) => new Set(places).size > 1);
  expect(twice.map(([name, places]) => `${name}: ${places.join(', ')}`)).toEqual([]);
});

describe('the scanner of the vocabulary', () => {
  const kinds = (source: string): string[] =>
    [...piecesOf(source)].map(({ kind, text }) => `${kind} ${text}`);

  test('splits names into words', () => {
    expect(wordsOf('#readAtEOF2')).toEqual(['read', 'at', 'eof']);
    expect(wordsOf('store-response.ts')).toEqual(['store', 'response', 'ts']);
    expect(wordsOf('MAX_RETRY_AFTER')).toEqual(['max', 'retry', 'after']);
  });

  test('takes code in a string for text, and code in a template for code', () => {
    expect(kinds("const a = 'let b'; // c")).toEqual(['name a', "text 'let b'", 'comment // c']);
    // biome-ignore lint/suspicious/noTemplateCurlyInString: source code
    expect(kinds('`${{ a: `${b}` }.a} who`')).toEqual([
      'text `${',
      'name a',
      'text `${',
      'name b',
      'text }`',
      'name a',
      'text } who`',
    ]);
  });

  test('tells a regular expression from a division', () => {
    expect(kinds("a.replace(/'\\/*/g, b) / c")).toEqual(['name a', 'name replace', 'name b', 'name c']);
  });

  test('finds words in the titles and comments of a test file, and in no other text', () => {
    const source = "// told\ntest.each([who])(\n  'who waits',\n  () => expect('who').toBe(heard),\n);\n";
    const found = findingsInTest('test/a.test.ts', source, vocabulary);
    expect(found.map(({ line, word }) => [line, word])).toEqual([
      [1, 'told'],
      [3, 'who'],
    ]);
  });

  test('names file, line, word and replacement', () => {
    const source = "const x = 1;\n/** Who. */\nconst toldIt = 'who is it', told = 'who';\n";
    const found = findingsIn('src/desk.ts', source, vocabulary);
    expect(found.map(({ line, word, instead }) => [line, word, instead])).toEqual([
      [1, 'desk (file name)', 'cache'],
      [2, 'Who', 'a noun'],
      [3, 'told in toldIt', 'notified, or emitted'],
      [3, 'who', 'a noun'],
      [3, 'told in told', 'notified, or emitted'],
    ]);
  });
});
