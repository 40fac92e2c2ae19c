import { expect, test } from 'vitest';
import { History } from '../../../src/policies/cache/store/changes.ts';

const of = (n: number | string) => ({ partition: 'ann', url: `https://a.example/${n}` });

test('a history knows the changes of a URL after a generation', () => {
  const history = new History();
  history.record('invalidated', of('a'));
  const { generation } = history;
  expect(history.last(of('a'), 'invalidated')).toBe(generation);
  history.record('doubted', of('b'));
  expect(history.last(of('a'), 'doubted', 'changed') > generation).toBe(false);
  expect(history.last(of('b'), 'doubted') > generation).toBe(true);
  expect(history.last(of('b'), 'invalidated') > generation).toBe(false);
  history.record('forgot', { partition: 'ann', url: undefined });
  expect(history.last(of('a'), 'forgot') > generation).toBe(true);
});

test('a full history counts dropped URLs as changed', () => {
  const history = new History();
  history.record('doubted', of('first'));
  const { generation } = history;
  for (let n = 0; n < 6_000; n++) history.record('doubted', of(n));
  expect(history.last(of(0), 'forgot') > generation).toBe(true);
  expect(history.last(of(0), 'forgot') > history.generation).toBe(false);
});
