import { expect, test } from 'vitest';
import { Forgetting } from '../../src/policies/cache/forgetting.ts';

test('what was forgotten after a moment is known, by itself', () => {
  const forgetting = new Forgetting();
  forgetting.mark('a');
  const { moment } = forgetting;
  expect(forgetting.since(moment, ['a', 'b'])).toBe(false);
  forgetting.mark('b');
  expect([forgetting.since(moment, ['a']), forgetting.since(moment, ['b'])]).toEqual([false, true]);
});

test('what is too much to remember counts as forgotten', () => {
  const forgetting = new Forgetting();
  forgetting.mark('first');
  const { moment } = forgetting;
  for (let n = 0; n < 2_000; n++) forgetting.mark(`${n}`);
  expect(forgetting.since(moment, ['0'])).toBe(true);
  expect(forgetting.since(forgetting.moment, ['0'])).toBe(false);
});
