import { expect, test } from 'vitest';
import { Recent } from '../../src/policies/cache/tombstones.ts';

test('what happened after a moment is known, by itself', () => {
  const counter = { moment: 0 };
  const recent = new Recent(counter);
  recent.mark('a');
  const { moment } = counter;
  expect(recent.since(moment, ['a', 'b'])).toBe(false);
  recent.mark('b');
  expect([recent.since(moment, ['a']), recent.since(moment, ['b'])]).toEqual([false, true]);
});

test('what is too much to remember counts as having happened', () => {
  const counter = { moment: 0 };
  const recent = new Recent(counter);
  recent.mark('first');
  const { moment } = counter;
  for (let n = 0; n < 2_000; n++) recent.mark(`${n}`);
  expect(recent.since(moment, ['0'])).toBe(true);
  expect(recent.since(counter.moment, ['0'])).toBe(false);
});
