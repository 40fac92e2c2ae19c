import { expect, test } from 'vitest';
import { Recent } from '../../src/policies/cache/recent.ts';

test('what was forgotten after a moment is known, by itself', () => {
  const recent = new Recent();
  recent.mark('a');
  const { moment } = recent;
  expect(recent.since(moment, ['a', 'b'])).toBe(false);
  recent.mark('b');
  expect([recent.since(moment, ['a']), recent.since(moment, ['b'])]).toEqual([false, true]);
});

test('what is too much to remember counts as forgotten', () => {
  const recent = new Recent();
  recent.mark('first');
  const { moment } = recent;
  for (let n = 0; n < 2_000; n++) recent.mark(`${n}`);
  expect(recent.since(moment, ['0'])).toBe(true);
  expect(recent.since(recent.moment, ['0'])).toBe(false);
});
