import { describe, expect, test } from 'vitest';
import { cacheControl, seconds } from '../../src/http/cache-control.ts';
import { currentAge, freshFor, mayBeStale } from '../../src/http/freshness.ts';
import { variesLike, varying } from '../../src/http/vary.ts';

const AT = Date.UTC(2026, 0, 1);
const date = (ms: number): string => new Date(ms).toUTCString();

describe('Cache-Control', () => {
  test.each<[string, [string, string][]]>([
    ['no-store', [['no-store', '']]],
    [
      'No-Store,MAX-AGE=5',
      [
        ['no-store', ''],
        ['max-age', '5'],
      ],
    ],
    ['max-age="60"', [['max-age', '60']]],
    [
      'private="set-cookie, x", max-age=1',
      [
        ['private', 'set-cookie, x'],
        ['max-age', '1'],
      ],
    ],
    ['max-age=1, max-age=2', [['max-age', '1']]],
    [
      ' , ,no-cache ; max-age = 3',
      [
        ['no-cache', ''],
        ['max-age', '3'],
      ],
    ],
    ['', []],
  ])('%s', (field, expected) => {
    expect([...cacheControl(new Headers({ 'cache-control': field }))]).toEqual(expected);
  });

  test.each([
    ['max-age=10', 10],
    ['max-age=-1', 0],
    ['max-age=1e9', 0],
    ['max-age=x', 0],
    ['max-age', 0],
    ['max-age=99999999999999', 2 ** 31],
    ['s-maxage=10', undefined],
  ])('%s is a number of seconds, or already stale', (field, expected) => {
    expect(seconds(cacheControl(new Headers({ 'cache-control': field })), 'max-age')).toBe(expected);
  });

  test('64 kB of directives take no time', () => {
    const field = 'a=b,'.repeat(16_000);
    const before = performance.now();
    cacheControl(new Headers({ 'cache-control': field }));
    expect(performance.now() - before).toBeLessThan(1_000);
  });
});

describe('age', () => {
  const times = { requestedAt: AT - 1_000, receivedAt: AT };

  test.each<[string, Record<string, string>, number, number]>([
    ['counts from our own receipt where Date is hidden', {}, AT + 5_000, 6_000],
    ['believes the origin that it is older', { age: '100' }, AT, 101_000],
    ['is apparent from Date', { date: date(AT - 60_000) }, AT, 60_000],
    ['is not negative where the origin’s clock is ahead', { date: date(AT + 60_000) }, AT, 1_000],
    ['is not younger where our clock was set back', {}, AT - 3_600_000, 1_000],
    ['does not believe nonsense', { age: '-5', date: 'yesterday' }, AT, 1_000],
  ])('%s', (_, headers, now, expected) => {
    expect(currentAge(new Headers(headers), times, now)).toBe(expected);
  });
});

describe('freshness', () => {
  test.each<[string, Record<string, string>, number]>([
    ['max-age goes before Expires', { 'cache-control': 'max-age=10', expires: date(AT + 60_000) }, 10_000],
    ['Expires is against Date', { expires: date(AT + 60_000), date: date(AT + 30_000) }, 30_000],
    ['Expires: 0 is stale', { expires: '0' }, 0],
    ['s-maxage is for others', { 'cache-control': 's-maxage=10' }, 0],
    ['nothing said is nothing known', {}, 0],
  ])('%s', (_, headers, expected) => {
    expect(freshFor(new Headers(headers), AT)).toBe(expected);
  });

  test.each<[string, string, number, boolean]>([
    ['fresh', 'max-age=10', 9_000, true],
    ['within maxStale', 'max-age=10', 69_000, true],
    ['past maxStale', 'max-age=10', 71_000, false],
    ['must-revalidate', 'max-age=10, must-revalidate', 11_000, false],
    ['must-revalidate, but fresh', 'max-age=10, must-revalidate', 9_000, true],
    ['no-cache', 'no-cache', 1, false],
    ['the origin allows more', 'stale-if-error=3600', 1_000_000, true],
    ['the origin allows less', 'stale-if-error=10', 11_000, false],
  ])('may it be stale? %s', (_, field, age, expected) => {
    expect(mayBeStale(new Headers({ 'cache-control': field }), AT, age, 60_000)).toBe(expected);
  });
});

describe('Vary', () => {
  test('remembers what was asked, whatever the order and the white space', () => {
    const stored = varying(' Accept-Language , X-B,x-b', new Headers({ 'accept-language': 'de,  en' }));
    expect(stored).toEqual([
      ['accept-language', 'de, en'],
      ['x-b', null],
    ]);
    expect(variesLike(stored, new Headers({ 'accept-language': 'de , en' }))).toBe(true);
    expect(variesLike(stored, new Headers({ 'accept-language': 'en' }))).toBe(false);
    expect(variesLike(stored, new Headers({ 'accept-language': 'de, en', 'x-b': '' }))).toBe(false);
    expect(variesLike(varying(null, new Headers()), new Headers({ any: 'thing' }))).toBe(true);
  });
});
