import { describe, expect, test } from 'vitest';
import { byteRange } from '../../src/http/range.ts';

describe('byteRange', () => {
  test.each<[string, number, [number, number]]>([
    ['bytes=0-9', 100, [0, 9]],
    ['bytes=0-0', 100, [0, 0]],
    ['bytes=90-200', 100, [90, 99]],
    ['bytes=10-', 100, [10, 99]],
    ['bytes=99-', 100, [99, 99]],
    ['bytes=-5', 100, [95, 99]],
    ['bytes=-500', 100, [0, 99]],
    ['Bytes= 1-2 ', 100, [1, 2]],
  ])('%s of %i bytes', (field, size, [first, last]) => {
    expect(byteRange(field, size)).toEqual({ first, last });
  });

  test.each([
    ['bytes=100-', 100],
    ['bytes=-0', 100],
    ['bytes=9-3', 100],
    ['bytes=200-150', 100],
    ['bytes=9-5', 6],
    ['bytes=-', 100],
    ['bytes=0-1,3-4', 100],
    ['bytes=a-b', 100],
    ['items=0-1', 100],
    ['', 100],
    ['bytes=0-', 0],
  ])('%s of %i bytes is left to the origin', (field, size) => {
    expect(byteRange(field, size)).toBeUndefined();
  });
});
