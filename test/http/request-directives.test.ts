import { describe, expect, test } from 'vitest';
import {
  isOwnValidation,
  parseRequestDirectives,
  type RequestDirectives,
} from '../../src/http/cache-control.ts';
import { requestOf } from './messages.ts';

const NOTHING = parseRequestDirectives(requestOf());

const asked = (field: string): RequestDirectives =>
  parseRequestDirectives(requestOf({ headers: { 'cache-control': field } }));

describe('a request', () => {
  test('has no directives by default', () => {
    expect(NOTHING).toEqual({
      noStore: false,
      noCache: false,
      reload: false,
      forceCache: false,
      onlyIfCached: undefined,
      maxAge: Infinity,
      minFresh: 0,
      maxStale: -1,
      ifError: undefined,
    });
  });

  test.each<[string, Partial<RequestDirectives>]>([
    ['max-age=5', { maxAge: 5_000 }],
    ['MAX-AGE="5"', { maxAge: 5_000 }],
    ['max-age=5, max-age=9', { maxAge: 5_000 }],
    ['max-age=-1', { maxAge: 0 }],
    ['max-age=99999999999999', { maxAge: 2 ** 31 * 1000 }],
    ['min-fresh=5', { minFresh: 5_000 }],
    ['max-stale=5', { maxStale: 5_000 }],
    ['max-stale', { maxStale: Infinity }],
    ['max-stale=x', { maxStale: 0 }],
    ['stale-if-error=5', { ifError: 5_000 }],
    ['no-cache', { noCache: true }],
    ['no-store', { noStore: true }],
    ['only-if-cached', { onlyIfCached: '504' }],
    ['no-transform, immutable, must-revalidate, x-unknown=5', {}],
    ['', {}],
  ])('says %s', (field, expected) => {
    expect(asked(field)).toEqual({ ...NOTHING, ...expected });
  });

  test.each<[RequestCache, Partial<RequestDirectives>]>([
    ['default', {}],
    ['no-store', { noStore: true }],
    ['reload', { noCache: true, reload: true }],
    ['no-cache', { noCache: true }],
    ['force-cache', { forceCache: true }],
    ['only-if-cached', { forceCache: true, onlyIfCached: 'error' }],
  ])('has the cache mode %s', (cache, expected) => {
    expect(parseRequestDirectives(requestOf({ cache }))).toEqual({ ...NOTHING, ...expected });
  });

  test('is one of a platform without cache modes', () => {
    expect(parseRequestDirectives({ headers: new Headers() } as Request)).toEqual(NOTHING);
  });

  test.each<[string, Record<string, string>, boolean]>([
    ['alone', { pragma: 'no-cache' }, true],
    ['in any case, among others', { pragma: 'x, No-Cache' }, true],
    ['beside Cache-Control', { pragma: 'no-cache', 'cache-control': 'max-age=5' }, false],
    ['with something else', { pragma: 'akamai-x-cache-on' }, false],
  ])('has a Pragma: %s', (_, headers, expected) => {
    expect(parseRequestDirectives(requestOf({ headers })).noCache).toBe(expected);
  });

  test.each(['if-none-match', 'if-modified-since', 'if-match', 'if-unmodified-since', 'if-range'])(
    'validates by itself with %s',
    (name) => {
      expect(isOwnValidation(requestOf({ headers: { [name]: 'x' } }))).toBe(true);
      expect(isOwnValidation(requestOf())).toBe(false);
    },
  );
});
