import {
  ASYMMETRIC_MATCHERS_OBJECT,
  addCustomEqualityTesters,
  ChaiStyleAssertions,
  customMatchers,
  type ExpectStatic,
  GLOBAL_EXPECT,
  getState,
  JestAsymmetricMatchers,
  JestChaiExpect,
  JestExtend,
  type MatchersObject,
  setState,
  type Tester,
} from '@vitest/expect';
import * as chai from 'chai';

for (const plugin of [JestExtend, JestChaiExpect, ChaiStyleAssertions, JestAsymmetricMatchers])
  chai.use(plugin);

type Shared = typeof globalThis & Record<symbol, object>;
const chaiExpect = chai.expect as unknown as ExpectStatic & {
  extend(on: unknown, matchers: MatchersObject): void;
};

const count = (value: unknown, message?: string) => {
  const { assertionCalls } = getState(expect);
  setState({ assertionCalls: assertionCalls + 1 }, expect);
  return chaiExpect(value, message);
};

/** Put together as Vitest does it, but for snapshots and mocks, which other runtimes do not share. */
export const expect = Object.assign(count, chaiExpect, (globalThis as Shared)[ASYMMETRIC_MATCHERS_OBJECT], {
  getState: () => getState(expect),
  setState: (state: object) => setState(state, expect),
  extend: (matchers: MatchersObject) => chaiExpect.extend(expect, matchers),
  addEqualityTesters: (testers: Tester[]) => addCustomEqualityTesters(testers),
  unreachable: (message = 'this was not to be reached') => chai.assert.fail(message),
  assertions(expected: number) {
    setState({ expectedAssertionsNumber: expected }, expect);
  },
  hasAssertions() {
    setState({ isExpectingAssertions: true }, expect);
  },
}) as unknown as ExpectStatic;

Object.defineProperty(globalThis, GLOBAL_EXPECT, { value: expect, configurable: true });
startCounting();
expect.extend(customMatchers);

export function startCounting(): void {
  setState({ assertionCalls: 0, isExpectingAssertions: false, expectedAssertionsNumber: null }, expect);
}

/** @throws when the test asked for another number of assertions than it made. */
export function checkCount(): void {
  const { assertionCalls, expectedAssertionsNumber: expected, isExpectingAssertions } = getState(expect);
  if (expected !== null && expected !== assertionCalls)
    throw new Error(`expected number of assertions to be ${expected}, but got ${assertionCalls}`);
  if (isExpectingAssertions && assertionCalls === 0)
    throw new Error('expected any number of assertions, but got none');
}
