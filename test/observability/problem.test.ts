import { HTTPError } from 'ky';
import { describe, expect, test } from 'vitest';
import { CircuitOpenError, NetworkError, TimeoutError } from '../../src/core/errors.ts';
import { categoryOf } from '../../src/core/outcome.ts';
import { problemOf, toProblemResponse } from '../../src/observability/problem.ts';
import { ConfigurationError } from '../../src/primitives/failure.ts';

const responseWith = (body: BodyInit | null, type = 'application/problem+json', status = 422): Response =>
  new Response(body, { status, headers: { 'content-type': type } });

describe('the category of a failure', () => {
  test.each([
    [200, undefined],
    [304, undefined],
    [400, 'client'],
    [401, 'auth'],
    [403, 'auth'],
    [404, 'client'],
    [408, 'timeout'],
    [409, 'conflict'],
    [412, 'conflict'],
    [422, 'validation'],
    [429, 'rate-limit'],
    [500, 'server'],
    [503, 'server'],
  ])('categoryOf gives status %i the category %s', (status, expected) => {
    expect(categoryOf(new Response(null, { status }))).toBe(expected);
  });

  test.each<[string, unknown, string]>([
    ['a network error', new NetworkError('x', {}), 'network'],
    ['a timeout of the pipeline', new TimeoutError('total', 1), 'timeout'],
    ['a timeout of the platform', new DOMException('x', 'TimeoutError'), 'timeout'],
    ['an abort', new DOMException('x', 'AbortError'), 'aborted'],
    ['invalid JSON', new SyntaxError('x'), 'parse'],
    ['an option', new ConfigurationError('a', 1, 'b'), 'configuration'],
    [
      'ky’s error',
      new HTTPError(new Response(null, { status: 409 }), new Request('https://a.example'), {} as never),
      'conflict',
    ],
    ['anything else', new Error('x'), 'unknown'],
    ['nothing', undefined, 'unknown'],
    ['a name that objects have by themselves', { name: 'constructor' }, 'unknown'],
  ])('categoryOf has a category for %s', (_, error, expected) => {
    expect(categoryOf(error)).toBe(expected);
  });
});

describe('problem details', () => {
  test('problemOf reads from a clone, so that the body stays readable', async () => {
    const response = responseWith('{"type":"/out-of-stock","title":"Sold out","left":0}');
    expect(await problemOf(response)).toEqual({ type: '/out-of-stock', title: 'Sold out', left: 0 });
    expect(await response.json()).toMatchObject({ left: 0 });
  });

  test('problemOf gives nothing for a body that has a reader', async () => {
    const response = responseWith('{"title":"Sold out"}');
    response.body?.getReader();
    expect(await problemOf(response)).toBeUndefined();
  });

  test('problemOf has a type even if the server sends none, and ignores members of another type', async () => {
    expect(await problemOf(responseWith('{"title":5,"status":"x","detail":"d"}'))).toEqual({
      type: 'about:blank',
      detail: 'd',
    });
  });

  test.each<[string, Response]>([
    ['another type', responseWith('{}', 'application/json')],
    ['no JSON', responseWith('<html>')],
    ['no object', responseWith('[1]')],
    ['no body', responseWith(null)],
    ['too long a body', responseWith(`{"detail":"${'x'.repeat(70_000)}"}`)],
  ])('problemOf gives nothing for %s', async (_, response) => {
    expect(await problemOf(response)).toBeUndefined();
  });
});

describe('a problem response', () => {
  test('toProblemResponse has a status, Retry-After and the request id, and nothing else of the error', async () => {
    const error = new CircuitOpenError({ callId: 'a-1', origin: 'https://secret.example', retryAt: 61_500 });
    const response = toProblemResponse(error, { now: 60_000 });
    expect([
      response.status,
      response.headers.get('content-type'),
      response.headers.get('retry-after'),
    ]).toEqual([503, 'application/problem+json', '2']);
    const text = await response.text();
    expect(JSON.parse(text)).toEqual({
      type: 'about:blank',
      title: 'Service Unavailable',
      status: 503,
      category: 'circuit-open',
      requestId: 'a-1',
    });
    expect(text).not.toContain('secret');
  });

  test.each<[unknown, number]>([
    [new NetworkError('https://user:pw@secret.example?token=1', {}), 502],
    [new TimeoutError('attempt', 10_000), 504],
    [new Response(null, { status: 401 }), 502],
    [new Error('at /srv/app.ts:1'), 500],
    ['thrown text', 500],
    [undefined, 500],
    [Object.assign(new Error('no'), { category: 'a secret of the application' }), 500],
    [{ callId: { token: 'secret' } }, 500],
    [{ callId: 1n }, 500],
  ])('toProblemResponse gives %s the status %i', async (error, status) => {
    const response = toProblemResponse(error);
    expect(response.status).toBe(status);
    expect(await response.text()).not.toMatch(/secret|srv|thrown/);
  });

  test('toProblemResponse accepts any thrown value', () => {
    const { proxy, revoke } = Proxy.revocable({}, {});
    revoke();
    expect(toProblemResponse(proxy).status).toBe(500);
  });

  test.each([
    [Number.NaN, null],
    [Number.POSITIVE_INFINITY, null],
    [1e300, null],
    ['soon', null],
    [-5, '1'],
  ])('toProblemResponse sets Retry-After only to a valid time: %s', (retryAt, header) => {
    expect(toProblemResponse({ retryAt }, { now: 1_000 }).headers.get('retry-after')).toBe(header);
  });

  test('toProblemResponse passes on the Retry-After of an upstream response', () => {
    const upstream = new Response(null, { status: 503, headers: { 'retry-after': '30' } });
    const response = toProblemResponse(upstream);
    expect([response.status, response.headers.get('retry-after')]).toEqual([502, '30']);
  });

  test('toProblemResponse takes another status, an id and further members', async () => {
    const response = toProblemResponse(new Response(null, { status: 429 }), {
      statuses: { 'rate-limit': 429 },
      requestId: 'r-7',
      extensions: { help: 'https://a.example/help', status: 200 },
    });
    expect(response.status).toBe(429);
    expect(await response.json()).toMatchObject({
      status: 429,
      requestId: 'r-7',
      help: 'https://a.example/help',
    });
  });
});
