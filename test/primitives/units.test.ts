import { describe, expect, test } from 'vitest';
import { bytes, milliseconds } from '../../src/primitives/units.ts';

test.each([
  [0, 0],
  [250, 250],
  [0.5, 0.5],
  [Number.POSITIVE_INFINITY, Number.POSITIVE_INFINITY],
  ['250ms', 250],
  ['5s', 5_000],
  ['1.5s', 1_500],
  ['2m', 120_000],
  ['1h', 3_600_000],
  ['7d', 604_800_000],
])('a duration of %s is %i ms', (given, expected) => {
  expect(milliseconds(given, 'option')).toBe(expected);
});

test.each([
  ['64kB', 64_000],
  ['10MB', 10_000_000],
  ['1.5GB', 1_500_000_000],
  ['500B', 500],
  [12, 12],
])('a size of %s is %i bytes', (given, expected) => {
  expect(bytes(given, 'option')).toBe(expected);
});

describe('what cannot be meant', () => {
  test.each([
    ['5 s', "timeout: '5 s' is not allowed; did you mean '5s'?"],
    [' 5s', "timeout: ' 5s' is not allowed; did you mean '5s'?"],
    [-1, 'timeout: -1 is not allowed; expected a number of milliseconds or a string such as'],
    ['-5s', "timeout: '-5s' is not allowed; expected a number"],
    [Number.NaN, 'timeout: NaN is not allowed'],
    ['5', "timeout: '5' is not allowed"],
    ['5S', "timeout: '5S' is not allowed"],
    ['s', "timeout: 's' is not allowed"],
    ['', "timeout: '' is not allowed"],
    ['5constructor', "timeout: '5constructor' is not allowed"],
    [null, 'timeout: null is not allowed'],
    [{ a: 1 }, 'timeout: { a: … } is not allowed'],
    [true, 'timeout: true is not allowed'],
    [() => 5, 'timeout: a function is not allowed'],
    [5n, 'timeout: 5 is not allowed'],
  ])('%s is refused, with what is allowed', (given, message) => {
    expect(() => milliseconds(given, 'timeout')).toThrow(message);
  });
});
