import { expect, test } from 'vitest';
import { Generations } from '../../src/policies/cache/store/tombstones.ts';

test('what happened after a moment is known, by itself', () => {
  const counter = { epoch: 0 };
  const recent = new Generations(counter);
  recent.mark('a');
  const { epoch } = counter;
  expect(recent.since(epoch, ['a', 'b'])).toBe(false);
  recent.mark('b');
  expect([recent.since(epoch, ['a']), recent.since(epoch, ['b'])]).toEqual([false, true]);
});

test('what is too much to remember counts as having happened', () => {
  const counter = { epoch: 0 };
  const recent = new Generations(counter);
  recent.mark('first');
  const { epoch } = counter;
  for (let n = 0; n < 2_000; n++) recent.mark(`${n}`);
  expect(recent.since(epoch, ['0'])).toBe(true);
  expect(recent.since(counter.epoch, ['0'])).toBe(false);
});
