import { describe, expect, test } from 'vitest';
import { httpDate, retryAfter } from '../../src/http/retry-after.ts';

const NOW = Date.UTC(2026, 10, 21, 12, 0, 0);
const asked = (value: string, date?: string): number | undefined =>
  retryAfter(new Headers({ 'retry-after': value, ...(date !== undefined && { date }) }), NOW);

describe('Retry-After', () => {
  test.each([
    ['0', 0],
    ['120', 120_000],
    [' 5 ', 5_000],
    ['99999999999', 99_999_999_999_000],
    ['Sat, 21 Nov 2026 12:00:30 GMT', 30_000],
    ['Saturday, 21-Nov-26 12:00:30 GMT', 30_000],
    ['Sat Nov 21 12:00:30 2026', 30_000],
    ['Sun Nov  1 12:00:00 2026', 0],
    ['Sunday, 06-Nov-94 08:49:37 GMT', 0],
    ['Sat, 21 Nov 2026 11:00:00 GMT', 0],
  ])('%s', (value, expected) => {
    expect(asked(value)).toBe(expected);
  });

  test.each([
    '-1',
    'soon',
    '',
    '1.5',
    '1e3',
    '120, 60',
    '2026-11-21T12:00:30Z',
    'Sat, 21 Nov 2026 12:00:30',
    'Sat, 21 Foo 2026 12:00:30 GMT',
    'Tue, 31 Feb 2026 12:00:30 GMT',
    'Sat, 21 Nov 2026 24:00:30 GMT',
  ])('%s is not understood', (value) => {
    expect(asked(value)).toBeUndefined();
  });

  test('a date of a server with a wrong clock is understood by its own Date', () => {
    expect(asked('Sat, 21 Nov 2020 12:00:30 GMT', 'Sat, 21 Nov 2020 12:00:00 GMT')).toBe(30_000);
    expect(asked('Sat, 21 Nov 2032 12:00:30 GMT', 'Sat, 21 Nov 2032 12:00:00 GMT')).toBe(30_000);
  });
});

describe('a year of two digits', () => {
  test.each([
    ['26', 2026],
    ['76', 2076],
    ['77', 1977],
    ['94', 1994],
  ])('%s is %i', (digits, year) => {
    expect(httpDate(`Sunday, 06-Nov-${digits} 08:49:37 GMT`, NOW)).toBe(Date.UTC(year, 10, 6, 8, 49, 37));
  });
});
