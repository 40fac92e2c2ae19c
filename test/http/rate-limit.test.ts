import { expect, test } from 'vitest';
import { quotaReset, rateLimitReset } from '../../src/http/rate-limit.ts';
import { listOfItems } from '../../src/http/structured-fields.ts';

const NOW = Date.UTC(2026, 0, 1);

const reset = (headers: Record<string, string>): number | undefined => quotaReset(new Headers(headers), NOW);

test.each<[string, number | undefined]>([
  ['"default";r=0;t=30', 30_000],
  ['default;r=0;t=30', 30_000],
  ['  "a";r=0;t=5 ,\t"b";r=0;t=60;pk=:cHJvamVjdA==:, "c";r=9;t=3600 ', 60_000],
  ['"a, b;r=9";r=0; t=1;x', 1_000],
  ['"quoted \\" \\\\";r=0;t=2', 2_000],
  ['"a";r=9;r=0;t=3', 3_000],
  ['"a";r=0;t=0', 0],
  // Calls remain, or it is not said for how long none does.
  ['"a";r=1;t=30', undefined],
  ['"a";t=30', undefined],
  ['"a";r=0', undefined],
  ['"a";r=0;t=-1', undefined],
  ['"a";r="0";t="30"', undefined],
  ['"a";r=0;t=1.5', undefined],
  ['"a";r=0.0;t=30', undefined],
  ['"a";r;t=30', undefined],
  // No structured field: one fault, and all of it counts for nothing.
  ['"a";r=0;t=30,', undefined],
  ['"a";r=0;t=30, "b', undefined],
  ['"a";R=0;t=30', undefined],
  ['"a" r=0;t=30', undefined],
  ['"ä";r=0;t=30', undefined],
  ['limit=100, remaining=0, reset=30', undefined],
  ['("a" "b");r=0;t=30', undefined],
  ['"a";r=0;t=9999999999999999', undefined],
  ['soon', undefined],
  [';;;', undefined],
  ['', undefined],
])('RateLimit: %s', (field, expected) => {
  expect(reset({ ratelimit: field })).toBe(expected);
});

test.each<[string, string, number | undefined]>([
  ['0', '30', 30_000],
  ['0', '0', 0],
  ['0', '1.5', 1_500],
  ['0', String(NOW / 1000 + 60), 60_000],
  ['0', String(NOW + 60_000), 60_000],
  ['0', String(NOW / 1000 - 60), 0],
  ['1', '30', undefined],
  ['-1', '30', undefined],
  ['', '30', undefined],
  ['0', '', undefined],
  ['0', '-30', undefined],
  ['0', 'soon', undefined],
  ['0, 0', '30, 30', undefined],
])('the older fields, with X- and without: remaining %s, reset %s', (remaining, until, expected) => {
  expect(reset({ 'x-ratelimit-remaining': remaining, 'x-ratelimit-reset': until })).toBe(expected);
  expect(reset({ 'ratelimit-remaining': remaining, 'ratelimit-reset': until })).toBe(expected);
});

test('an older field without its other half is ignored', () => {
  expect(reset({ 'x-ratelimit-remaining': '0' })).toBeUndefined();
  expect(reset({ 'x-ratelimit-reset': '30' })).toBeUndefined();
  expect(reset({})).toBeUndefined();
});

test('the newer field goes before the older, unless it is garbage', () => {
  const older = { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '30' };
  expect(reset({ ratelimit: '"a";r=5;t=10', ...older })).toBeUndefined();
  expect(reset({ ratelimit: 'limit=5, remaining=0', ...older })).toBe(30_000);
  expect(reset({ 'ratelimit-remaining': '0', 'ratelimit-reset': '7', ...older })).toBe(7_000);
});

test('rateLimitReset reads the plain fields, and not the structured one', () => {
  const older = { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': '30', age: '10' };
  expect(rateLimitReset(new Headers({ ratelimit: '"a";r=0;t=5', ...older }), NOW)).toBe(20_000);
  expect(rateLimitReset(new Headers({ ratelimit: '"a";r=0;t=5' }), NOW)).toBeUndefined();
});

test('an instant of an origin with a wrong clock is understood', () => {
  expect(
    reset({
      'x-ratelimit-remaining': '0',
      'x-ratelimit-reset': String(Date.UTC(2031, 0, 1) / 1000 + 60),
      date: 'Wed, 01 Jan 2031 00:00:00 GMT',
    }),
  ).toBe(60_000);
});

test('in a cached response the seconds are reduced by its Age', () => {
  expect(reset({ ratelimit: '"a";r=0;t=30', age: '10' })).toBe(20_000);
  expect(reset({ ratelimit: '"a";r=0;t=30', age: '3600' })).toBe(0);
  expect(reset({ ratelimit: '"a";r=0;t=30', age: 'old' })).toBe(30_000);
});

test('hostile input takes little time', () => {
  for (const piece of ['"a";r=0;t=1,', '"\\"', ';a', ' , ', '"a";r=0;r', '((((', ':::', '"a" ', '1.1.'])
    expect(reset({ ratelimit: piece.repeat(10_000) })).toBeUndefined();
});

test('a list of items is read whole', () => {
  const read = (field: string): unknown =>
    listOfItems(field)?.map(({ value, parameters }) => [value, ...parameters]);
  expect(read('a;b, 1;c=?0;d="e;f", ?1, 1.5, :YQ==:;g=*h/i, @1, %"x"')).toEqual([
    ['a', ['b', true]],
    [1, ['c', false], ['d', 'e;f']],
    [true],
    ['1.5'],
    [':YQ==:', ['g', '*h/i']],
    ['@1'],
    ['%"x"'],
  ]);
  expect(read('')).toEqual([]);
});

test.each<[Record<string, string>, number | undefined]>([
  [{ 'x-ratelimit-reset': '30' }, 30_000],
  [{ 'x-ratelimit-remaining': '5', 'x-ratelimit-reset': '30' }, undefined],
  [{ 'x-rate-limit-reset': '30' }, 30_000],
  [{ 'x-ratelimit-retry-after': '30', 'x-ratelimit-reset': '60' }, 30_000],
  [{ 'ratelimit-reset': '10', 'x-ratelimit-retry-after': '30' }, 10_000],
])('a status that means that nothing remains: %j', (headers, expected) => {
  expect(rateLimitReset(new Headers(headers), NOW, true)).toBe(expected);
});
