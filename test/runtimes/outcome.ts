export interface Outcome {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export const nothing: Outcome = { passed: 0, failed: 0, skipped: 0 };

export function addUp(outcomes: readonly Outcome[]): Outcome {
  return outcomes.reduce(
    (sum, { passed, failed, skipped }) => ({
      passed: sum.passed + passed,
      failed: sum.failed + failed,
      skipped: sum.skipped + skipped,
    }),
    nothing,
  );
}

/** Reads what Vitest's JSON reporter writes. */
export function fromVitest(report: string): Outcome {
  const { numPassedTests: passed, numFailedTests: failed, numPendingTests: skipped } = JSON.parse(report);
  return { passed, failed, skipped };
}

/** Counts the test cases in JUnit's XML. The sums at its head do not mean the same to Deno and to Bun. */
export function fromJUnit(report: string): Outcome {
  const cases = [...report.matchAll(/<testcase\b[^>]*?(?:\/>|>(.*?)<\/testcase>)/gs)].map(
    ([, inside = '']) => inside,
  );
  const failed = cases.filter((inside) => /<(failure|error)\b/.test(inside)).length;
  const skipped = cases.filter((inside) => /<skipped\b/.test(inside)).length;
  return { passed: cases.length - failed - skipped, failed, skipped };
}
