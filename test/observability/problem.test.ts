import { HTTPError } from 'ky';
import { describe, expect, test } from 'vitest';
import { CircuitOpenError, NetworkError, TimeoutError } from '../../src/core/errors.ts';
import { categoryOf } from '../../src/core/outcome.ts';
import { problemOf, toProblemResponse } from '../../src/observability/problem.ts';
import { ConfigurationError } from '../../src/primitives/failure.ts';

const answer = (body: BodyInit | null, type = 'application/problem+json', status = 422): Response =>
  new Response(body, { status, headers: { 'content-type': type } });

describe('the category', () => {
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
  ])('of a status: %i is %s', (status, expected) => {
    expect(categoryOf(new Response(null, { status }))).toBe(expected);
  });

  test.each<[string, unknown, string]>([
    ['a network error', new NetworkError('x', {}), 'network'],
    ['a time-out of ours', new TimeoutError('total', 1), 'timeout'],
    ['a time-out of the platform', new DOMException('x', 'TimeoutError'), 'timeout'],
    ['an abort', new DOMException('x', 'AbortError'), 'aborted'],
    ['JSON that is none', new SyntaxError('x'), 'parse'],
    ['an option', new ConfigurationError('a', 1, 'b'), 'configuration'],
    [
      'ky’s error',
      new HTTPError(new Response(null, { status: 409 }), new Request('https://a.example'), {} as never),
      'conflict',
    ],
    ['anything else', new Error('x'), 'unknown'],
    ['nothing', undefined, 'unknown'],
    ['a name that objects have by themselves', { name: 'constructor' }, 'unknown'],
  ])('of %s', (_, error, expected) => {
    expect(categoryOf(error)).toBe(expected);
  });
});

describe('problem details', () => {
  test('are read from a copy', async () => {
    const response = answer('{"type":"/out-of-stock","title":"Sold out","left":0}');
    expect(await problemOf(response)).toEqual({ type: '/out-of-stock', title: 'Sold out', left: 0 });
    expect(await response.json()).toMatchObject({ left: 0 });
  });

  test('have a type even where the server says none, and members of another type are ignored', async () => {
    expect(await problemOf(answer('{"title":5,"status":"x","detail":"d"}'))).toEqual({
      type: 'about:blank',
      detail: 'd',
    });
  });

  test.each<[string, Response]>([
    ['another type', answer('{}', 'application/json')],
    ['no JSON', answer('<html>')],
    ['no object', answer('[1]')],
    ['no body', answer(null)],
    ['too long a body', answer(`{"detail":"${'x'.repeat(70_000)}"}`)],
  ])('%s: none', async (_, response) => {
    expect(await problemOf(response)).toBeUndefined();
  });
});

describe('toProblemResponse', () => {
  test('has a status, when to come back and the request id, and nothing else of the error', async () => {
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
  ])('%s: %i', async (error, status) => {
    const response = toProblemResponse(error);
    expect(response.status).toBe(status);
    expect(await response.text()).not.toMatch(/secret|srv|thrown/);
  });

  test('is made of whatever was thrown', () => {
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
  ])('says when to come back only where that is a time: %s', (retryAt, header) => {
    expect(toProblemResponse({ retryAt }, { now: 1_000 }).headers.get('retry-after')).toBe(header);
  });

  test('tells of an upstream’s answer when to come back', () => {
    const upstream = new Response(null, { status: 503, headers: { 'retry-after': '30' } });
    const answer = toProblemResponse(upstream);
    expect([answer.status, answer.headers.get('retry-after')]).toEqual([502, '30']);
  });

  test('takes other statuses, an id and members of one’s own', async () => {
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
