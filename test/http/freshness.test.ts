import { describe, expect, test } from 'vitest';
import { ageOf, type Freshness, isExplicitlyFresh, termsOf } from '../../src/http/freshness.ts';
import { AT, date } from './messages.ts';

const DAY = 86_400_000;
const times = { requestedAt: AT - 1_000, receivedAt: AT };

const terms = (headers: HeadersInit, status = 200, redirected = false): Freshness =>
  termsOf(new Headers(headers), times, { status, redirected });

describe('age', () => {
  test.each<[string, Record<string, string>, number, number]>([
    ['counts from our own receipt where Date is hidden', {}, AT + 5_000, 6_000],
    ['believes the origin that it is older', { age: '100' }, AT, 101_000],
    ['is apparent from Date', { date: date(AT - 60_000) }, AT, 60_000],
    ['is the greater of what Age and Date say', { age: '30', date: date(AT - 60_000) }, AT, 60_000],
    ['is not negative where the clock of the origin is ahead', { date: date(AT + 60_000) }, AT, 1_000],
    ['is not younger where our clock was set back', {}, AT - 3_600_000, 1_000],
    ['is older where our clock was set ahead', {}, AT + 3_600_000, 3_601_000],
    ['goes on from what it was at receipt', { age: '100' }, AT + 5_000, 106_000],
    ['does not believe nonsense', { age: '-5', date: 'yesterday' }, AT, 1_000],
  ])('%s', (_, headers, now, expected) => {
    expect(ageOf(terms(headers), now)).toBe(expected);
  });

  test.each([
    ['5', 5],
    ['5, 700', 5],
    ['700, 5', 700],
    [' 5 ,', 5],
    [', 5', 0],
    ['1.5', 0],
    ['+5', 0],
    ['-5', 0],
    ['1e3', 0],
    ['"5"', 0],
    ['5 s', 0],
    ['', 0],
    ['99999999999999999999', 2 ** 31],
  ])('Age: %s', (age, expected) => {
    expect(ageOf(terms({ age }), AT)).toBe(expected * 1000 + 1_000);
  });

  test('is not negative where our clock was set back while the response was on its way', () => {
    const back = termsOf(
      new Headers({ age: '5' }),
      { requestedAt: AT + 3_600_000, receivedAt: AT },
      { status: 200, redirected: false },
    );
    expect(ageOf(back, AT)).toBe(0);
  });
});

describe('freshness', () => {
  test.each<[string, Record<string, string>, number]>([
    ['max-age goes before Expires', { 'cache-control': 'max-age=10', expires: date(AT + 60_000) }, 10_000],
    [
      'max-age goes before Expires, valid or not',
      { 'cache-control': 'max-age=x', expires: date(AT + DAY) },
      0,
    ],
    ['Expires is against Date', { expires: date(AT + 60_000), date: date(AT + 30_000) }, 30_000],
    ['Expires is against our receipt where there is no Date', { expires: date(AT + 60_000) }, 60_000],
    [
      'Expires is against our receipt where Date is no date',
      { expires: date(AT + 60_000), date: 'x' },
      60_000,
    ],
    ['Expires before Date is stale', { expires: date(AT - 1_000), date: date(AT) }, 0],
    ['Expires: 0 is stale', { expires: '0' }, 0],
    ['s-maxage is for shared caches', { 'cache-control': 's-maxage=10' }, 0],
    ['public is not a lifetime', { 'cache-control': 'public' }, 0],
    ['directives that are not known mean nothing', { 'cache-control': 'x-max-age=10, community="UCI"' }, 0],
    ['nothing said is nothing known', {}, 0],
  ])('%s', (_, headers, expected) => {
    expect(terms(headers).lifetime).toBe(expected);
  });

  test.each([
    ['Thu, 01 Jan 2026 00:01:00 GMT', 60],
    ['Thursday, 01-Jan-26 00:01:00 GMT', 60],
    ['Thu Jan  1 00:01:00 2026', 60],
    ['thu, 01 jan 2026 00:01:00 gmt', 60],
    ['THURSDAY, 01-JAN-26 00:01:00 GMT', 60],
    ['thu jan  1 00:01:00 2026', 60],
    ['Fri, 31 Dec 9999 23:59:59 GMT', 251_635_075_199],
    ['Thu, 01 Jan 2026 00:01:00 +0000', 0],
    ['Thu, 01 Jan 2026 00:01:00 UTC', 0],
    ['Thu, 01 Jan 2026 00:01:00 EST', 0],
    ['Thu, 01 Jan 2026 00:01:00', 0],
    ['Thu, 1 Jan 2026 00:01:00 GMT', 0],
    ['2026-01-01T00:01:00Z', 0],
    ['Thu, 41 Jan 2026 00:01:00 GMT', 0],
    ['Thu, 01 Foo 2026 00:01:00 GMT', 0],
    ['Thu, 01 Jan 2026 24:01:00 GMT', 0],
    ['-1', 0],
    ['60', 0],
    ['never', 0],
    ['', 0],
  ])('Expires: %s', (expires, expected) => {
    expect(terms({ expires }).lifetime).toBe(expected * 1000);
  });

  test('Expires twice is stale', () => {
    const line = ['Expires', date(AT + DAY)] as [string, string];
    expect(terms([line, line]).lifetime).toBe(0);
  });

  test.each<[string, Record<string, string>, number]>([
    [
      'a tenth of the time since Last-Modified',
      { date: date(AT), 'last-modified': date(AT - 100_000) },
      10_000,
    ],
    ['from our receipt where there is no Date', { 'last-modified': date(AT - 100_000) }, 10_000],
    ['against Date', { date: date(AT - 60_000), 'last-modified': date(AT - 100_000) }, 4_000],
    ['at most a day', { date: date(AT), 'last-modified': date(AT - 3650 * DAY) }, DAY],
    [
      'at most a day, whatever Date says',
      { date: 'Fri, 31 Dec 9999 23:59:59 GMT', 'last-modified': date(AT) },
      DAY,
    ],
    [
      'nothing where Last-Modified is yet to come',
      { date: date(AT), 'last-modified': date(AT + 100_000) },
      0,
    ],
    ['nothing where Last-Modified is no date', { 'last-modified': 'last week' }, 0],
    ['nothing beside max-age', { 'cache-control': 'max-age=0', 'last-modified': date(AT - DAY) }, 0],
    [
      'nothing beside a max-age that is not valid',
      { 'cache-control': 'max-age', 'last-modified': date(AT - DAY) },
      0,
    ],
    ['nothing beside Expires', { expires: date(AT), 'last-modified': date(AT - DAY) }, 0],
    ['nothing beside an Expires that is not valid', { expires: '0', 'last-modified': date(AT - DAY) }, 0],
  ])('is heuristic: %s', (_, headers, expected) => {
    expect(terms(headers).lifetime).toBe(expected);
  });

  test('a redirected response is never fresh', () => {
    const headers = {
      'cache-control': 'max-age=60',
      expires: date(AT + DAY),
      'last-modified': date(AT - DAY),
    };
    expect(terms(headers, 200, true).lifetime).toBe(0);
  });

  test.each<[Record<string, string>, boolean]>([
    [{ 'cache-control': 'max-age=0' }, true],
    [{ expires: 'never' }, true],
    [{ 'cache-control': 's-maxage=10' }, false],
    [{ 'cache-control': 'public' }, false],
    [{ 'last-modified': date(AT) }, false],
  ])('is explicit or not: %j', (headers, expected) => {
    expect(isExplicitlyFresh(new Headers(headers))).toBe(expected);
  });
});

describe('terms', () => {
  test.each([
    ['no-cache', true],
    ['NO-CACHE', true],
    ['no-cache=5', true],
    ['no-cache=""', true],
    ['no-cache="x-token"', true],
    ['no-cache="set-cookie, x-token"', true],
    ['no-cache="set-cookie", no-cache', true],
    ['no-cache, no-cache="set-cookie"', true],
    ['no-cache="Set-Cookie"', false],
    ['no-cache=set-cookie', false],
    ['max-age=5', false],
  ])('%s requires validation or not', (field, expected) => {
    expect(terms({ 'cache-control': field }).noCache).toBe(expected);
  });

  test('directives without an argument ignore one', () => {
    const said = terms({ 'cache-control': 'must-revalidate=0, immutable="no"' });
    expect([said.mustRevalidate, said.immutable]).toEqual([true, true]);
  });

  test('Pragma in a response means nothing', () => {
    expect(terms({ pragma: 'no-cache' }).noCache).toBe(false);
  });

  test('the extensions are in seconds, and an invalid one is ignored', () => {
    const field = 'stale-while-revalidate=5, stale-if-error=x';
    const { whileRevalidating, ifError } = terms({ 'cache-control': field });
    expect([whileRevalidating, ifError]).toEqual([5_000, 0]);
  });

  test.each([200, 203, 300, 301, 308])('%i may stand in for a failing origin', (status) => {
    expect(terms({}, status).standsIn).toBe(true);
  });

  test.each([201, 204, 302, 307, 404, 410, 500, 503])('%i stands in for nothing', (status) => {
    expect(terms({}, status).standsIn).toBe(false);
  });

  test.each<[number, boolean]>([
    [200, true],
    [204, true],
    [404, true],
    [405, true],
    [414, true],
    [501, true],
    [201, false],
    [302, false],
    [403, false],
    [500, false],
  ])('%i has a heuristic lifetime or not', (status, expected) => {
    const modified = { 'last-modified': date(AT - 10 * DAY), date: date(AT) };
    expect(terms(modified, status).lifetime > 0).toBe(expected);
  });

  test.each<[string, Record<string, string>, number]>([
    ['by Date', { date: date(AT - DAY) }, AT - DAY],
    ['by our receipt where Date is hidden', {}, AT],
    ['by our receipt where Date is no date', { date: 'today' }, AT],
  ])('the most recent is found %s', (_, headers, expected) => {
    expect(terms(headers).date).toBe(expected);
  });
});

describe('in a shared cache', () => {
  const shared = (cacheControl: string) =>
    termsOf(
      new Headers({ 'cache-control': cacheControl, expires: new Date(AT + 99_000).toUTCString() }),
      { requestedAt: AT, receivedAt: AT },
      { status: 200, redirected: false, shared: true },
    );

  test.each([
    ['s-maxage goes before max-age and Expires', 'max-age=600, s-maxage=10', 10_000],
    ['s-maxage=0 is stale at once', 'public, max-age=600, s-maxage=0', 0],
    ['max-age counts without s-maxage', 'max-age=600', 600_000],
  ])('%s', (_, cacheControl, lifetime) => {
    expect(shared(cacheControl).lifetime).toBe(lifetime);
  });

  test('proxy-revalidate forbids stale responses', () => {
    expect(shared('max-age=1, proxy-revalidate').mustRevalidate).toBe(true);
    expect(terms({ 'cache-control': 'max-age=1, proxy-revalidate' }).mustRevalidate).toBe(false);
  });
});
