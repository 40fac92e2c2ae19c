import { describe, expect, test } from 'vitest';
import { addUp, fromJUnit, fromVitest, nothing } from './outcome.ts';

describe('the outcome of a run', () => {
  test('is read from what Vitest reports', () => {
    const report = JSON.stringify({
      numPassedTests: 3,
      numFailedTests: 2,
      numPendingTests: 1,
      numTotalTests: 6,
    });
    expect(fromVitest(report)).toEqual({ passed: 3, failed: 2, skipped: 1 });
  });

  test('is counted in what Bun reports, which nests suites', () => {
    const report = `<testsuites tests="3" failures="1" skipped="1">
      <testsuite name="outer" tests="3"><testsuite name="inner" tests="1">
        <testcase name="a &gt; b" classname="x/y" time="0.1" assertions="1" />
      </testsuite>
      <testcase name="c"><failure type="TypeError" message="no">at &lt;testcase&gt;</failure></testcase>
      <testcase name="d">
        <skipped />
      </testcase>
    </testsuite></testsuites>`;
    expect(fromJUnit(report)).toEqual({ passed: 1, failed: 1, skipped: 1 });
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
    expect(fromJUnit(report)).toEqual({ passed: 1, failed: 1, skipped: 1 });
  });

  test('of several is their sum', () => {
    const one = { passed: 1, failed: 2, skipped: 3 };
    expect(addUp([one, nothing, one])).toEqual({ passed: 2, failed: 4, skipped: 6 });
    expect(addUp([])).toEqual(nothing);
  });
});
