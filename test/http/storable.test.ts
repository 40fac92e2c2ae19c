import { describe, expect, test } from 'vitest';
import { isStorable, keptHeaders, minimumBodySize } from '../../src/http/storable.ts';
import { type ResponseFields, requestOf, responseOf, type Sent } from './messages.ts';

const cached = (field: string): ResponseFields => ({ headers: { 'cache-control': field } });
type Row = [title: string, response: ResponseFields, sent: Sent];

const HERE = 'https://example.com/moved';

describe('a response is stored', () => {
  test.each<Row>([
    ['200', { status: 200 }, {}],
    ['203', { status: 203 }, {}],
    ['204 that is explicitly fresh', { ...cached('max-age=5'), status: 204 }, {}],
    ['404 that is explicitly fresh', { ...cached('max-age=5'), status: 404 }, {}],
    ['410 that expires', { status: 410, headers: { expires: 'soon' } }, {}],
    ['private', cached('private'), {}],
    ['private for some fields', cached('private="x-a"'), {}],
    ['no-cache', cached('no-cache'), {}],
    ['with nothing that says how long it is fresh', {}, {}],
    ['to a request with Authorization', {}, { headers: { authorization: 'x' } }],
    ['Vary', { headers: { vary: 'accept' } }, {}],
    ['Set-Cookie', { headers: { 'set-cookie': 'a=b' } }, {}],
    ['redirected to the same origin', { redirected: true, url: HERE }, {}],
    ['from elsewhere without a redirect', { url: 'https://else.example/' }, {}],
    ['must-understand', cached('must-understand, max-age=5'), {}],
    [
      'must-understand with no-store, for caches that do not know it',
      cached('must-understand, no-store'),
      {},
    ],
    [
      '404 with a heuristic lifetime',
      { status: 404, headers: { 'last-modified': 'Sun, 06 Nov 1994 08:49:37 GMT' } },
      {},
    ],
    ['300 with nothing that says how long it is fresh', { status: 300 }, {}],
  ])('%s', (_, response, sent) => {
    expect(isStorable(requestOf(sent), responseOf(response))).toBe(true);
  });
});

describe('a response is stored', () => {
  test.each([201, 202, 301, 302, 307, 400, 401, 403, 405, 414, 451, 500, 501, 503])(
    '%i with explicit freshness',
    (status) => {
      expect(isStorable(requestOf(), responseOf({ ...cached('public, max-age=60'), status }))).toBe(true);
    },
  );
});

describe('a response is not stored', () => {
  test.each<Row>([
    ['no-store', cached('no-store'), {}],
    ['no-store among others, in any case', cached('public, max-age=60, No-Store'), {}],
    ['no-store behind an open quote', cached('private="x, no-store'), {}],
    ['no-store with an argument', cached('no-store="x"'), {}],
    [
      'must-understand with a status that is not understood',
      { ...cached('must-understand, max-age=5'), status: 299 },
      {},
    ],
    ['Vary: *', { headers: { vary: '*' } }, {}],
    ['Vary: * among others', { headers: { vary: 'accept, *' } }, {}],
    ['Vary that names no header', { headers: { vary: 'accept language' } }, {}],
    ['Vary that names no header among others', { headers: { vary: 'accept, "x-a"' } }, {}],
    ['a stream of events', { headers: { 'content-type': 'text/event-stream; charset=utf-8' } }, {}],
    ['opaque', { type: 'opaque' }, {}],
    ['204', { status: 204 }, {}],
    ['404', { status: 404 }, {}],
    ['410 that is public', { ...cached('public'), status: 410 }, {}],
    ['to POST', cached('max-age=60'), { method: 'POST' }],
    ['to HEAD', cached('max-age=60'), { method: 'HEAD' }],
    ['to OPTIONS', cached('max-age=60'), { method: 'OPTIONS' }],
    ['redirected to another origin', { redirected: true, url: 'https://portal.example/' }, {}],
    ['redirected to another port', { redirected: true, url: 'https://example.com:8443/' }, {}],
    ['redirected to another scheme', { redirected: true, url: 'http://example.com/' }, {}],
    ['redirected to nobody knows where', { redirected: true, url: '' }, {}],
  ])('%s', (_, response, sent) => {
    expect(isStorable(requestOf(sent), responseOf(response))).toBe(false);
  });

  test.each([206, 304])('%i, explicitly fresh or not', (status) => {
    expect(isStorable(requestOf(), responseOf({ ...cached('public, max-age=60'), status }))).toBe(false);
  });

  test.each([201, 202, 302, 307, 400, 401, 403, 451, 500, 503])('%i without explicit freshness', (status) => {
    const headers = { 'cache-control': 'public', 'last-modified': 'Sun, 06 Nov 1994 08:49:37 GMT' };
    expect(isStorable(requestOf(), responseOf({ headers, status }))).toBe(false);
  });
});

describe('of the headers', () => {
  test('all fields are stored, unknown ones too', () => {
    const kept: [string, string][] = [
      ['cache-status', 'cdn; hit'],
      ['content-encoding', 'gzip'],
      ['warning', '110 - "stale"'],
      ['x-unknown', 'a, b'],
    ];
    expect(keptHeaders(new Headers(kept))).toEqual(kept);
  });

  test('no field about the connection, a proxy or one recipient is stored', () => {
    const gone = {
      connection: 'Close, X-Hop ,, keep-alive',
      'keep-alive': 'timeout=5',
      'proxy-authenticate': 'Basic',
      'proxy-authentication-info': 'x',
      'proxy-authorization': 'x',
      'proxy-connection': 'keep-alive',
      'set-cookie': 'session=secret',
      'set-cookie2': 'x',
      te: 'trailers',
      trailer: 'x-sum',
      'transfer-encoding': 'chunked',
      upgrade: 'h2c',
      'x-hop': '1',
    };
    expect(keptHeaders(new Headers({ ...gone, etag: '"a"' }))).toEqual([['etag', '"a"']]);
  });

  test('cookies are not stored, however many', () => {
    const headers = new Headers({ etag: '"a"' });
    headers.append('set-cookie', 'a=1');
    headers.append('set-cookie', 'b=2');
    expect(keptHeaders(headers)).toEqual([['etag', '"a"']]);
  });
});

test('keptHeaders drops every header that carries credentials', () => {
  const gone = {
    authorization: 'Bearer 1',
    'authentication-info': 'nextnonce="1"',
    'www-authenticate': 'Digest nonce="1"',
    'x-auth-token': '1',
    'x-amz-security-token': '1',
    'x-api-key': '1',
    'x-session-id': '1',
    'set-cookie2': 'a=b',
  };
  expect(keptHeaders(new Headers({ ...gone, etag: '"a"' }))).toEqual([['etag', '"a"']]);
});

describe('a body has at least', () => {
  test.each<[string, Record<string, string>, ResponseType, number]>([
    ['its Content-Length', { 'content-length': '100000' }, 'basic', 100_000],
    ['a little less across origins', { 'content-length': '100000' }, 'cors', 99_836],
    ['nothing across origins where it is small', { 'content-length': '60' }, 'cors', 0],
    ['nothing where it was coded', { 'content-length': '100', 'content-encoding': 'gzip' }, 'basic', 0],
    ['nothing where nothing is said', {}, 'basic', 0],
    ['nothing where two lengths are said', { 'content-length': '5, 5' }, 'basic', 0],
    ['nothing where the length is negative', { 'content-length': '-5' }, 'basic', 0],
    ['nothing where the length is none', { 'content-length': 'x' }, 'basic', 0],
  ])('%s', (_, headers, type, expected) => {
    expect(minimumBodySize(responseOf({ headers, type }))).toBe(expected);
  });
});
