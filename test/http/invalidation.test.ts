import { describe, expect, test } from 'vitest';
import { isSafe } from '../../src/http/idempotency.ts';
import { invalidatedBy } from '../../src/policies/cache/origin-request.ts';
import { type ResponseFields, requestOf, responseOf } from './messages.ts';

const URL_ = 'https://example.com/orders/7?a=b';

const gone = (response: ResponseFields): string[] =>
  invalidatedBy(requestOf({ method: 'POST', url: URL_ }), responseOf(response));

describe('a write invalidates', () => {
  test.each<[string, ResponseFields, string[]]>([
    ['of its own URL', {}, []],
    ['of Location', { headers: { location: '/orders/8' } }, ['https://example.com/orders/8']],
    ['of Content-Location', { headers: { 'content-location': '8' } }, ['https://example.com/orders/8']],
    [
      'of both',
      { headers: { location: '/a', 'content-location': 'https://example.com/b' } },
      ['https://example.com/a', 'https://example.com/b'],
    ],
    [
      'of what has the same origin, the default port or not',
      { headers: { location: 'https://example.com:443/a' } },
      ['https://example.com/a'],
    ],
    ['not of another origin', { headers: { location: 'https://else.example/a' } }, []],
    ['not of another origin without a scheme', { headers: { 'content-location': '//else.example/a' } }, []],
    ['not of another port', { headers: { location: 'https://example.com:8443/a' } }, []],
    ['not of another scheme', { headers: { location: 'http://example.com/a' } }, []],
    ['not of what is no URL', { headers: { location: 'https://[' } }, []],
    ['not of a script', { headers: { location: 'javascript:alert(1)' } }, []],
    [
      'where redirects led it',
      { redirected: true, url: 'https://example.com/new' },
      ['https://example.com/new'],
    ],
    [
      'where redirects led it, to another origin too',
      { redirected: true, url: 'https://else.example/new' },
      ['https://else.example/new'],
    ],
    [
      'not of what a mirror names as its own',
      {
        url: 'https://mirror.example/7',
        headers: { location: 'https://mirror.example/8', 'content-location': '/9' },
      },
      ['https://example.com/9'],
    ],
    [
      'of what is named there',
      {
        redirected: true,
        url: 'https://else.example/new/',
        headers: { location: 'a', 'content-location': URL_ },
      },
      ['https://else.example/new/', 'https://else.example/new/a'],
    ],
  ])('%s', (_, response, others) => {
    expect(gone(response)).toEqual([URL_, ...others]);
  });
});

test.each([
  ['GET', true],
  ['HEAD', true],
  ['OPTIONS', true],
  ['TRACE', true],
  ['QUERY', true],
  ['POST', false],
  ['PUT', false],
  ['PATCH', false],
  ['DELETE', false],
  ['PROPPATCH', false],
  ['X-UNKNOWN', false],
])('%s invalidates nothing: %s', (method, expected) => {
  expect(isSafe(method)).toBe(expected);
});
