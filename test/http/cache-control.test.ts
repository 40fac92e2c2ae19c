import { describe, expect, test } from 'vitest';
import { cacheControl, directiveMs } from '../../src/http/cache-control.ts';

const read = (field: string) => cacheControl(new Headers({ 'cache-control': field }));

describe('Cache-Control', () => {
  test.each<[string, Record<string, string>]>([
    ['no-store', { 'no-store': '' }],
    ['No-Store,MAX-AGE=5', { 'no-store': '', 'max-age': '5' }],
    ['max-age="60"', { 'max-age': '60' }],
    ['private="set-cookie, x", max-age=1', { private: 'set-cookie, x', 'max-age': '1' }],
    ['max-age=1, max-age=2', { 'max-age': '1' }],
    [' , ,no-cache ; max-age = 3', { 'no-cache': '', 'max-age': '3' }],
    ['', {}],
    ['no-cache="x", no-cache', { 'no-cache': '' }],
    ['no-cache, no-cache="x"', { 'no-cache': '' }],
    ['no-cache="x", no-cache="y"', { 'no-cache': '' }],
    ['no-cache="x", no-cache="x"', { 'no-cache': 'x' }],
    ['immutable, immutable=1, Immutable', { immutable: '' }],
    ['private="a\\"b, max-age=5", no-store', { private: 'a"b, max-age=5', 'no-store': '' }],
    ['private="a\\\\", no-store', { private: 'a\\', 'no-store': '' }],
    ['community="UCI", max-age=5', { community: 'UCI', 'max-age': '5' }],
    ['s-maxage=1, x-max-age=2', { 's-maxage': '1', 'x-max-age': '2' }],
  ])('%s', (field, expected) => {
    expect(Object.fromEntries(read(field))).toEqual(expected);
  });

  test('a prohibition behind a quote that is never closed counts', () => {
    expect(read('private="x, no-store').has('no-store')).toBe(true);
    expect(read('max-age="60, must-revalidate').has('must-revalidate')).toBe(true);
    expect(directiveMs(read('max-age="60, must-revalidate'), 'max-age')).toBe(0);
  });

  test('several lines are one', () => {
    const headers = new Headers([
      ['Cache-Control', 'max-age=5'],
      ['cache-control', 'no-cache'],
    ]);
    expect([...cacheControl(headers).keys()]).toEqual(['max-age', 'no-cache']);
  });

  test('without a field there are no directives', () => {
    expect(cacheControl(new Headers()).size).toBe(0);
  });

  test.each([
    ['max-age=10', 10],
    ['max-age="10"', 10],
    ['max-age=010', 10],
    ['max-age=-1', 0],
    ['max-age=+1', 0],
    ['max-age=1e9', 0],
    ['max-age=0x10', 0],
    ['max-age=1.5', 0],
    ['max-age="1 "', 0],
    ['max-age=Infinity', 0],
    ['max-age=x', 0],
    ['max-age=', 0],
    ['max-age', 0],
    ['max-age=2147483648', 2 ** 31],
    ['max-age=99999999999999', 2 ** 31],
    ['s-maxage=10', undefined],
  ])('%s is a number of seconds, or already stale', (field, expected) => {
    expect(directiveMs(read(field), 'max-age')).toBe(expected === undefined ? undefined : expected * 1000);
  });

  test('a number of 60,000 digits is 68 years', () => {
    expect(directiveMs(read(`max-age=${'9'.repeat(60_000)}`), 'max-age')).toBe(2 ** 31 * 1000);
  });
});
