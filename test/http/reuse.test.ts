import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parseRequestDirectives } from '../../src/http/cache-control.ts';
import { termsOf } from '../../src/http/freshness.ts';
import { type Reuse, reuseOf, type StalePolicy } from '../../src/http/reuse.ts';
import { AT, requestOf } from './messages.ts';
import { modelOfReuse } from './model.ts';
import { SEED, situation } from './situations.ts';

interface Case {
  /** `Cache-Control` of the response. */
  readonly said?: string;
  /** In seconds. */
  readonly age?: number;
  readonly asked?: string;
  readonly cache?: RequestCache;
  readonly allowed?: Partial<StalePolicy>;
  readonly unconfirmed?: boolean;
  readonly invalidated?: boolean;
  readonly status?: number;
  readonly redirected?: boolean;
}

const ALLOWED: StalePolicy = { maxStale: 60_000, whileRevalidating: 0, disregard: [] };

function reuse({
  said,
  age = 0,
  asked,
  cache = 'default',
  allowed,
  unconfirmed = false,
  invalidated = false,
  ...response
}: Case): Reuse {
  const headers = new Headers(said === undefined ? {} : { 'cache-control': said });
  const known = { status: 200, redirected: false, ...response };
  const terms = termsOf(headers, { requestedAt: AT, receivedAt: AT }, known);
  const request = requestOf({ cache, headers: asked === undefined ? {} : { 'cache-control': asked } });
  return reuseOf(
    terms,
    AT + age * 1000,
    parseRequestDirectives(request),
    { ...ALLOWED, ...allowed },
    { unconfirmed, invalidated },
  );
}

type Row = [title: string, given: Case, expected: Reuse];

describe('a cached response', () => {
  test.each<Row>([
    ['is fresh until its lifetime is over', { said: 'max-age=10', age: 9 }, 'as-is'],
    ['is stale at the end of its lifetime', { said: 'max-age=10', age: 10 }, 'on-error'],
    ['stands in within maxStale', { said: 'max-age=10', age: 70 }, 'on-error'],
    ['does not stand in past maxStale', { said: 'max-age=10', age: 71 }, 'when-confirmed'],
    ['of which nothing is said stands in', { age: 1 }, 'on-error'],
    ['that was redirected is never fresh', { said: 'max-age=10', redirected: true }, 'on-error'],
    ['that is invalidated stands in', { said: 'max-age=10', age: 1, invalidated: true }, 'on-error'],
    [
      'that is invalidated is not served for force-cache',
      { said: 'max-age=10', age: 1, invalidated: true, cache: 'force-cache' },
      'on-error',
    ],
    [
      'that is invalidated and says no-cache is served for nothing',
      { said: 'no-cache', invalidated: true, allowed: { disregard: ['no-cache'] } },
      'when-confirmed',
    ],
    [
      'that is invalidated and says must-revalidate is served for nothing',
      { said: 'must-revalidate', invalidated: true, allowed: { disregard: ['must-revalidate'] } },
      'when-confirmed',
    ],
    ['that is unconfirmed stands in', { said: 'max-age=10', age: 1, unconfirmed: true }, 'on-error'],
  ])('%s', (_, given, expected) => {
    expect(reuse(given)).toBe(expected);
  });

  test.each<Row>([
    [
      'must-revalidate is obeyed when stale',
      { said: 'max-age=10, must-revalidate', age: 11 },
      'when-confirmed',
    ],
    ['must-revalidate means nothing when fresh', { said: 'max-age=10, must-revalidate', age: 9 }, 'as-is'],
    [
      'must-revalidate is obeyed for an unconfirmed response',
      { said: 'max-age=10, must-revalidate', age: 9, unconfirmed: true },
      'when-confirmed',
    ],
    [
      'must-revalidate is disregarded if the application says so',
      { said: 'max-age=10, must-revalidate', age: 11, allowed: { disregard: ['must-revalidate'] } },
      'on-error',
    ],
    ['no-cache is obeyed when stale', { said: 'no-cache', age: 1 }, 'when-confirmed'],
    ['no-cache is obeyed when fresh', { said: 'no-cache, max-age=10', age: 1 }, 'when-confirmed'],
    [
      'no-cache is disregarded if the application says so, but only to stand in',
      { said: 'no-cache, max-age=10', age: 1, allowed: { disregard: ['no-cache'] } },
      'on-error',
    ],
    ['no-cache for cookies means nothing', { said: 'no-cache="set-cookie", max-age=10', age: 1 }, 'as-is'],
    ['no-cache for other fields is no-cache', { said: 'no-cache="x", max-age=10', age: 1 }, 'when-confirmed'],
    ['proxy-revalidate is for others', { said: 'max-age=10, proxy-revalidate', age: 11 }, 'on-error'],
    ['s-maxage is for others', { said: 'max-age=10, s-maxage=0', age: 9 }, 'as-is'],
    ['immutable means nothing when stale', { said: 'max-age=10, immutable', age: 11 }, 'on-error'],
  ])('with the origin’s directives: %s', (_, given, expected) => {
    expect(reuse(given)).toBe(expected);
  });

  test.each<Row>([
    ['no-cache before max-age', { said: 'max-age=100, no-cache', age: 1 }, 'when-confirmed'],
    ['no-cache before stale-if-error', { said: 'stale-if-error=100, no-cache', age: 1 }, 'when-confirmed'],
    ['no-cache before immutable', { said: 'max-age=100, immutable, no-cache', age: 1 }, 'when-confirmed'],
    [
      'must-revalidate before stale-if-error',
      { said: 'stale-if-error=100, must-revalidate', age: 1 },
      'when-confirmed',
    ],
    [
      'must-revalidate before stale-while-revalidate',
      { said: 'stale-while-revalidate=100, must-revalidate', age: 1 },
      'when-confirmed',
    ],
    [
      'must-revalidate before max-stale',
      { said: 'must-revalidate', asked: 'max-stale', age: 1 },
      'when-confirmed',
    ],
    ['no-cache before max-stale', { said: 'no-cache', asked: 'max-stale', age: 1 }, 'when-confirmed'],
    [
      'no-cache in a request before max-stale',
      { said: 'max-age=10', asked: 'max-stale, no-cache', age: 1 },
      'when-confirmed',
    ],
  ])('with two conflicting directives follows the stricter: %s', (_, given, expected) => {
    expect(reuse(given)).toBe(expected);
  });
});

describe('stale-if-error', () => {
  test.each<Row>([
    ['allows more than the application', { said: 'stale-if-error=3600', age: 1_000 }, 'on-error'],
    ['allows less than the application', { said: 'stale-if-error=10', age: 11 }, 'when-confirmed'],
    ['counts from the end of freshness', { said: 'max-age=10, stale-if-error=10', age: 20 }, 'on-error'],
    ['that is not valid allows nothing', { said: 'stale-if-error=x', age: 1 }, 'when-confirmed'],
    ['of a request allows more for that request', { asked: 'stale-if-error=3600', age: 1_000 }, 'on-error'],
    ['of a request allows less for that request', { asked: 'stale-if-error=10', age: 11 }, 'when-confirmed'],
    [
      'of the response goes before that of a request',
      { said: 'stale-if-error=10', asked: 'stale-if-error=100', age: 11 },
      'when-confirmed',
    ],
    [
      'of a request allows less than the response',
      { said: 'stale-if-error=100', asked: 'stale-if-error=0', age: 11 },
      'when-confirmed',
    ],
    [
      'does not let a cached response be served without a request',
      { said: 'stale-if-error=3600', age: 1 },
      'on-error',
    ],
  ])('%s', (_, given, expected) => {
    expect(reuse(given)).toBe(expected);
  });
});

describe('stale-while-revalidate', () => {
  const said = 'max-age=10, stale-while-revalidate=10';
  const mode = { whileRevalidating: 60_000 };

  test.each<Row>([
    ['lets a stale response be served', { said, age: 19 }, 'while-revalidating'],
    ['ends', { said, age: 20 }, 'on-error'],
    ['means nothing when fresh', { said, age: 9 }, 'as-is'],
    ['of the application where the origin says nothing', { age: 59, allowed: mode }, 'while-revalidating'],
    ['of the origin goes before that of the application', { said, age: 20, allowed: mode }, 'on-error'],
    ['that is 0 forbids it', { said: 'stale-while-revalidate=0', allowed: mode, age: 1 }, 'on-error'],
    ['does not count for an unconfirmed response', { said, age: 11, unconfirmed: true }, 'on-error'],
    ['does not count against no-cache', { said: `${said}, no-cache`, age: 11 }, 'when-confirmed'],
    ['does not count against max-age of a request', { said, asked: 'max-age=5', age: 11 }, 'on-error'],
    ['does not count against min-fresh of a request', { said, asked: 'min-fresh=1', age: 11 }, 'on-error'],
  ])('%s', (_, given, expected) => {
    expect(reuse(given)).toBe(expected);
  });
});

describe('a request', () => {
  const said = 'max-age=100';

  test.each<Row>([
    ['max-age: no older', { said, asked: 'max-age=5', age: 6 }, 'on-error'],
    ['max-age: as old', { said, asked: 'max-age=5', age: 5 }, 'as-is'],
    ['max-age: not stale, however young', { asked: 'max-age=50', age: 1 }, 'on-error'],
    ['max-age that is not valid is 0', { said, asked: 'max-age=x', age: 1 }, 'on-error'],
    [
      'max-age with max-stale: stale',
      { said: 'max-age=2', asked: 'max-age=5, max-stale=9', age: 3 },
      'as-is',
    ],
    ['max-age with max-stale: older', { said, asked: 'max-age=5, max-stale=9', age: 50 }, 'as-is'],
    ['min-fresh: for so much longer', { said, asked: 'min-fresh=10', age: 90 }, 'as-is'],
    ['min-fresh: not for so much longer', { said, asked: 'min-fresh=10', age: 91 }, 'on-error'],
    ['max-stale: so stale', { said, asked: 'max-stale=10', age: 110 }, 'as-is'],
    ['max-stale: too stale', { said, asked: 'max-stale=10', age: 111 }, 'on-error'],
    ['max-stale: however stale', { said, asked: 'max-stale', age: 1e8 }, 'as-is'],
    ['max-stale that is not valid is 0', { said, asked: 'max-stale=x', age: 101 }, 'on-error'],
    ['max-stale: not if unconfirmed', { said, asked: 'max-stale', age: 1, unconfirmed: true }, 'on-error'],
    ['no-cache', { said, asked: 'no-cache', age: 1 }, 'when-confirmed'],
    ['immutable means nothing', { said, asked: 'immutable', age: 101 }, 'on-error'],
  ])('%s', (_, given, expected) => {
    expect(reuse(given)).toBe(expected);
  });

  test.each<Row>([
    ['default', { said, age: 101, cache: 'default' }, 'on-error'],
    ['no-cache', { said, cache: 'no-cache' }, 'when-confirmed'],
    ['reload', { said, cache: 'reload' }, 'when-confirmed'],
    ['reload, immutable or not', { said: `${said}, immutable`, cache: 'reload' }, 'when-confirmed'],
    ['force-cache', { said, age: 1e8, cache: 'force-cache' }, 'as-is'],
    ['force-cache against no-cache', { said: 'no-cache', age: 1, cache: 'force-cache' }, 'as-is'],
    [
      'force-cache against must-revalidate',
      { said: 'must-revalidate', age: 1, cache: 'force-cache' },
      'as-is',
    ],
    ['force-cache, unconfirmed', { said, unconfirmed: true, cache: 'force-cache' }, 'as-is'],
    ['only-if-cached', { said, age: 1e8, cache: 'only-if-cached' }, 'as-is'],
  ])('of the cache mode %s', (_, given, expected) => {
    expect(reuse(given)).toBe(expected);
  });
});

describe('a status that stands in for nothing', () => {
  test.each([201, 204, 302, 401, 404, 410, 503])(
    '%i is served while it is fresh and stands in for nothing',
    (status) => {
      const brief = { status, said: 'max-age=10, stale-if-error=99, stale-while-revalidate=99' };
      expect(reuse({ ...brief, age: 9 })).toBe('as-is');
      for (const more of [{}, { asked: 'max-stale' }, { cache: 'force-cache' }, { cache: 'only-if-cached' }])
        expect(reuse({ ...brief, ...(more as Case), age: 10 })).toBe('when-confirmed');
      expect(reuse({ ...brief, age: 9, cache: 'force-cache' })).toBe('as-is');
      expect(reuse({ ...brief, age: 1, unconfirmed: true })).toBe('when-confirmed');
    },
  );
});

const CASES = 4_000;

test(`${CASES} random responses, requests and times are judged as by a model of the RFCs (seed ${SEED})`, () => {
  const property = fc.property(situation, (each) => {
    const { headers, requestedAt, receivedAt, status, redirected } = each.stored;
    const terms = termsOf(new Headers(headers), { requestedAt, receivedAt }, { status, redirected });
    const wanted = parseRequestDirectives(
      requestOf({ headers: each.request.headers, cache: each.request.cache }),
    );
    expect(reuseOf(terms, each.now, wanted, each.allowed, each)).toBe(modelOfReuse(each));
  });
  fc.assert(property, { numRuns: CASES, seed: SEED });
});
