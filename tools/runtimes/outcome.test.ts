import { describe, expect, test } from 'vitest';
import { addUp, fromJUnit, fromVitest, nothing } from './outcome.ts';

describe('the outcome of a run', () => {
  test('is read from what Vitest reports', () => {
    const report = JSON.stringify({
      numPassedTests: 3,
      numFailedTests: 2,
      numPendingTests: 1,
      numTotalTests: 6,
      testResults: [
        {
          name: 'a.test.ts',
          assertionResults: [
            { status: 'passed', fullName: 'a b', failureMessages: [], duration: 1_500 },
            { status: 'failed', fullName: 'a c', failureMessages: ['Error: no\n\n    at x\n'] },
          ],
        },
        { name: 'b.test.ts', assertionResults: [{ status: 'failed', fullName: 'd', failureMessages: [] }] },
      ],
    });
    const failures = ['a.test.ts: a c\n    Error: no\n    at x', 'b.test.ts: d'];
    const durations = [
      { name: 'a.test.ts: a b', seconds: 1.5 },
      { name: 'a.test.ts: a c', seconds: 0 },
      { name: 'b.test.ts: d', seconds: 0 },
    ];
    expect(fromVitest(report)).toEqual({ passed: 3, failed: 2, skipped: 1, failures, durations });
  });

  test('is counted in what Bun reports, which nests suites', () => {
    const report = `<testsuites tests="3" failures="1" skipped="1">
      <testsuite name="outer" tests="3"><testsuite name="inner" tests="1">
        <testcase name="a &gt; b" classname="x/y" time="0.1" assertions="1" />
      </testsuite>
      <testcase name="c &quot;d&quot;"><failure type="TypeError" message="no&#10;more">at &lt;testcase&gt;</failure></testcase>
      <testcase name="d">
        <skipped />
      </testcase>
    </testsuite></testsuites>`;
    const failures = ['c "d"\n    no\n    more'];
    const durations = [
      { name: 'a > b', seconds: 0.1 },
      { name: 'c "d"', seconds: 0 },
      { name: 'd', seconds: 0 },
    ];
    expect(fromJUnit(report)).toEqual({ passed: 1, failed: 1, skipped: 1, failures, durations });
  });

  test('is counted in what Deno reports, whose good cases are empty and not closed at once', () => {
    const report = `<testsuites name="deno test" tests="3" failures="1" errors="0"><testsuite disabled="1">
      <testcase name="a" line="1">
      </testcase>
      <testcase name="b" line="2">
        <skipped/>
      </testcase>
      <testcase name="c" line="3">
        <failure message="Uncaught">Error</failure>
      </testcase>
    </testsuite></testsuites>`;
    expect(fromJUnit(report)).toMatchObject({
      passed: 1,
      failed: 1,
      skipped: 1,
      failures: ['c\n    Uncaught'],
    });
  });

  test('of several is their sum', () => {
    const one = { passed: 1, failed: 2, skipped: 3, failures: ['a'], durations: [{ name: 'a', seconds: 1 }] };
    expect(addUp([one, nothing, one])).toEqual({
      passed: 2,
      failed: 4,
      skipped: 6,
      failures: ['a', 'a'],
      durations: [...one.durations, ...one.durations],
    });
    expect(addUp([])).toEqual(nothing);
  });
});
