import { relative } from 'node:path';

export interface Outcome {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
  /** What failed, by name and with its reason. */
  readonly failures: readonly string[];
  readonly durations: readonly Duration[];
}

export interface Duration {
  readonly name: string;
  readonly seconds: number;
}

export const nothing: Outcome = { passed: 0, failed: 0, skipped: 0, failures: [], durations: [] };

export function addUp(outcomes: readonly Outcome[]): Outcome {
  return outcomes.reduce(
    (sum, { passed, failed, skipped, failures, durations }) => ({
      passed: sum.passed + passed,
      failed: sum.failed + failed,
      skipped: sum.skipped + skipped,
      failures: [...sum.failures, ...failures],
      durations: [...sum.durations, ...durations],
    }),
    nothing,
  );
}

interface VitestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly assertionResults: readonly {
      readonly status: string;
      readonly fullName: string;
      /** In ms. */
      readonly duration?: number | null;
      readonly failureMessages: readonly string[];
    }[];
  }[];
}

/** Reads what Vitest's JSON reporter writes. */
export function fromVitest(report: string): Outcome {
  const { numPassedTests, numFailedTests, numPendingTests, testResults }: VitestReport = JSON.parse(report);
  const tests = testResults.flatMap(({ name: file, assertionResults }) =>
    assertionResults.map((result) => ({ ...result, name: `${relative('.', file)}: ${result.fullName}` })),
  );
  const failures = tests
    .filter(({ status }) => status === 'failed')
    .map(({ name, failureMessages }) => failure(name, failureMessages[0]));
  const durations = tests.map(({ name, duration }) => ({ name, seconds: (duration ?? 0) / 1000 }));
  return { passed: numPassedTests, failed: numFailedTests, skipped: numPendingTests, failures, durations };
}

/** Counts the test cases in JUnit's XML. The sums at its head do not mean the same to Deno and to Bun. */
export function fromJUnit(report: string): Outcome {
  const cases = [...report.matchAll(/<testcase\b([^>]*?)(?:\/>|>(.*?)<\/testcase>)/gs)];
  const failures = cases.flatMap(([, attributes = '', inside = '']) => {
    const found = /<(?:failure|error)\b([^>]*)>/.exec(inside);
    return found ? [failure(attribute(attributes, 'name'), attribute(found[1], 'message'))] : [];
  });
  const skipped = cases.filter(([, , inside = '']) => /<skipped\b/.test(inside)).length;
  const failed = failures.length;
  const durations = cases.map(([, attributes]) => ({
    name: attribute(attributes, 'name'),
    seconds: Number(attribute(attributes, 'time')),
  }));
  return { passed: cases.length - failed - skipped, failed, skipped, failures, durations };
}

/** A name, and below it the beginning of the reason. */
function failure(name: string, reason = ''): string {
  const lines = reason.split('\n').filter((line) => line.trim() !== '');
  return [name, ...lines.slice(0, 3).map((line) => `    ${line.trim()}`)].join('\n');
}

const ENTITIES: Readonly<Record<string, string>> = { lt: '<', gt: '>', quot: '"', apos: "'", amp: '&' };

const attribute = (attributes = '', name: string): string =>
  (new RegExp(`\\b${name}="([^"]*)"`).exec(attributes)?.[1] ?? '').replace(
    /&(?:#(\d+)|(\w+));/g,
    (text, code?: string, entity = '') =>
      code ? String.fromCodePoint(Number(code)) : (ENTITIES[entity] ?? text),
  );
