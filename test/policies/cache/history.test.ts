import { expect, test } from 'vitest';
import { History } from '../../../src/policies/cache/store/changes.ts';

const of = (n: number | string) => ({ partition: 'ann', url: `https://a.example/${n}` });

test('a history knows the changes of a URL after a generation', () => {
  const history = new History();
  history.record('invalidated', of('a'));
  const { generation } = history;
  expect(history.last(of('a'), 'invalidated')).toBe(generation);
  history.record('unconfirmed', of('b'));
  expect(history.last(of('a'), 'unconfirmed', 'changed') > generation).toBe(false);
  expect(history.last(of('b'), 'unconfirmed') > generation).toBe(true);
  expect(history.last(of('b'), 'invalidated') > generation).toBe(false);
  history.record('deleted', { partition: 'ann', url: undefined });
  expect(history.last(of('a'), 'deleted') > generation).toBe(true);
});

test('a full history counts dropped URLs as changed', () => {
  const history = new History();
  history.record('unconfirmed', of('first'));
  const { generation } = history;
  for (let n = 0; n < 6_000; n++) history.record('unconfirmed', of(n));
  expect(history.last(of(0), 'deleted') > generation).toBe(true);
  expect(history.last(of(0), 'deleted') > history.generation).toBe(false);
});
