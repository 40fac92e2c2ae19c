import { expect, test } from 'vitest';
import { takeWhileUnder } from '../../src/policies/outbox/queue/queue.ts';

test.each([
  ['as many as weigh no more than that', [3, 3, 4, 1], [3, 3, 4]],
  ['all that there are', [3, 3], [3, 3]],
  ['one that weighs more by itself', [11, 1], [11]],
  ['those before one that weighs more', [3, 11, 1], [3]],
  ['none of none', [], []],
])('of what weighs 10 at the most: %s', (_, weights, expected) => {
  expect(takeWhileUnder(weights, (weight) => weight, 10)).toEqual(expected);
});
