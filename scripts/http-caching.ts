/** Holds `docs/http-caching.md` to its word: each rule that binds names a test, and each of these tests passes. */
import { existsSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { runIn } from '../tools/runtimes/run-in.ts';
import { type Runtime, runtimes } from '../tools/runtimes/runtimes.ts';

interface Rule {
  /** Where it stands, as editors and terminals understand it. */
  readonly place: string;
  readonly requirement: string;
  readonly behaviour: string;
  readonly tests: readonly (Named | undefined)[];
}

interface Named {
  readonly file: string;
  /** With those of the suites around it, as reporters give it. */
  readonly title: string;
}

/** What is read of the report of Vitest's JSON reporter. */
interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly assertionResults: readonly { readonly fullName: string; readonly status: string }[];
  }[];
}

const PAGE = 'docs/http-caching.md';

const rules = rulesIn(readFileSync(PAGE, 'utf8'));
const binding = rules.filter(({ behaviour }) => !/^does not bind: \S/.test(behaviour));
const tests = new Map(
  binding.flatMap(({ tests }) => tests.filter(isNamed).map((test) => [keyOf(test), test])),
);
const files = [...new Set([...tests.values()].map(({ file }) => file))].filter((file) => existsSync(file));
const outcomes = await outcomesOf(files);

const problems = binding.flatMap(({ place, requirement, tests }) =>
  (tests.length > 0 ? tests.map(problemWith) : [`no test: ${requirement}`])
    .filter((problem) => problem !== undefined)
    .map((problem) => `${place}: ${problem}`),
);
if (rules.length === 0) problems.push(`${PAGE}: no rules`);
for (const problem of problems) console.error(problem);
console.log(
  `${binding.length} requirements, ${tests.size} tests: ${problems.length > 0 ? `${problems.length} problems` : 'all pass'}`,
);
if (problems.length > 0) process.exitCode = 1;

/** The rows whose first cell is a link to a standard. */
function rulesIn(page: string): Rule[] {
  return page.split('\n').flatMap((line, index) => {
    if (!line.startsWith('| [')) return [];
    const [, , requirement = '', behaviour = '', names = ''] = line
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim());
    const tests = names === '-' ? [] : names.split('<br>').map(named);
    return [{ place: `${PAGE}:${index + 1}`, requirement, behaviour, tests }];
  });
}

/** Reads `[full title](../path)`; punctuation that Markdown would take for its own has a backslash before it. */
function named(link: string): Named | undefined {
  const [, title, path] = /^\[((?:\\.|[^\\\]])+)\]\(([^)\s]+)\)$/.exec(link) ?? [];
  return title && path
    ? { file: join(PAGE, '..', path), title: title.replace(/\\([!-/:-@[-`{-~])/g, '$1') }
    : undefined;
}

function isNamed(test: Named | undefined): test is Named {
  return test !== undefined;
}

function keyOf({ file, title }: Named): string {
  return `${file} > ${title}`;
}

function problemWith(test: Named | undefined): string | undefined {
  if (!test) return 'not a list of [title](file), with <br> between';
  if (!existsSync(test.file)) return `no file ${test.file}`;
  const found = outcomes.get(keyOf(test)) ?? [];
  if (found.length === 0) return `no test ${keyOf(test)}`;
  const bad = found.find((status) => status !== 'passed');
  return bad && `${bad}: ${keyOf(test)}`;
}

/** How each test in these files ended, in Node; of several with one name all count. */
async function outcomesOf(files: readonly string[]): Promise<ReadonlyMap<string, readonly string[]>> {
  const outcomes = new Map<string, string[]>();
  if (files.length === 0) return outcomes;
  const node = runtimes.find(({ name }) => name === 'node') as Runtime;
  const read = (report: string) => {
    for (const { name, assertionResults } of (JSON.parse(report) as Report).testResults) {
      for (const { fullName, status } of assertionResults) {
        const key = keyOf({ file: relative('.', name), title: fullName });
        outcomes.set(key, [...(outcomes.get(key) ?? []), status]);
      }
    }
    return node.read(report);
  };
  const { output, problem } = await runIn({ ...node, read }, files);
  if (outcomes.size === 0) console.error(`${output.trim()}\n${problem ?? ''}`);
  return outcomes;
}
