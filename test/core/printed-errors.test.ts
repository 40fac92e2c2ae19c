import { describe, expect, test } from 'vitest';
import { createFetch } from '../../src/client/fetch.ts';
import { createClient } from '../../src/client/ky/client.ts';
import { auth } from '../../src/policies/auth/auth.ts';
import { dedupe } from '../../src/policies/dedupe.ts';
import { isFailure, withoutQuery } from '../../src/primitives/failure.ts';
import { originUrl } from '../support/origin-url.ts';

type Inspect = (value: unknown, options?: object) => string;

interface Runtime {
  readonly Deno?: { inspect: Inspect };
  readonly Bun?: { inspect: Inspect };
  readonly process?: {
    getBuiltinModule?(name: string): { inspect: Inspect; format(...values: unknown[]): string } | undefined;
  };
}

/** An error as every console of this runtime prints it. */
function printed(error: unknown): string {
  const { Deno, Bun, process } = globalThis as unknown as Runtime;
  const util = process?.getBuiltinModule?.('node:util');
  const around = { message: 'failed', error };
  return [
    ...[error, around, [error]].flatMap((value) => [
      Deno?.inspect(value, { depth: 9 }),
      Bun?.inspect(value, { depth: 9 }),
      util?.inspect(value, { depth: 9 }),
      util?.format('%o', value),
      JSON.stringify(value),
    ]),
    // Browsers list the properties of an error in their console.
    JSON.stringify(Object.entries(error as object).map(([name, value]) => [name, value, String(value)])),
    String(error),
    (error as Error).stack,
  ].join('\n');
}

const caught = (work: PromiseLike<unknown>): Promise<unknown> =>
  Promise.resolve(work).then(
    () => expect.unreachable('it succeeded'),
    (error) => error,
  );

const SECRETS = {
  headers: { authorization: 'Bearer S3CR3T-header', 'x-api-key': 'S3CR3T-key' },
  method: 'POST',
  body: 'S3CR3T-body',
};
const at = (query: string): string => `${originUrl()}/echo?${query}&token=S3CR3T-query`;

describe('a printed error shows no header, body or query', () => {
  test.each([
    ['network', 'sequence=reset', {}],
    ['timeout-attempt', 'sequence=hang', { timeout: { attempt: 20 } }],
    ['timeout-total', 'sequence=hang', { timeout: { total: 20 } }],
  ])('%s', async (code, query, options) => {
    const fetch = createFetch({ retry: 0, ...options });
    const error = await caught(fetch(at(query), SECRETS));
    expect(error).toMatchObject({ code });
    expect(printed(error)).not.toContain('S3CR3T');
    expect((error as { request: Request }).request.headers.get('x-api-key')).toBe('S3CR3T-key');
    await fetch.close();
  });

  test('circuit-open', async () => {
    const fetch = createFetch({ retry: 0, breaker: { failures: 1, maxWait: 0 } });
    const errors = [];
    for (let call = 0; call < 5; call++) errors.push(await caught(fetch(at('sequence=reset'), SECRETS)));
    expect(errors.at(-1)).toMatchObject({ code: 'circuit-open' });
    expect(printed(errors)).not.toContain('S3CR3T');
    await fetch.close();
  });

  test('of each caller that dedupe has joined', async () => {
    const fetch = createFetch({ retry: 0, dedupe: dedupe() });
    const read = () => caught(fetch(at('sequence=reset'), { headers: SECRETS.headers }));
    const errors = await Promise.all([read(), read()]);
    expect(errors[0]).not.toBe(errors[1]);
    expect(errors.map((error) => printed(error)).join()).not.toContain('S3CR3T');
    await fetch.close();
  });

  test.each([
    ['bearer', { scheme: 'bearer', token: 'S3CR3T-token' }],
    ['api-key in the query', { scheme: 'api-key', query: 'k', key: 'S3CR3T-token' }],
  ] as const)('with auth: %s', async (_, options) => {
    const fetch = createFetch({ retry: 0, auth: auth({ ...options, origins: [originUrl()] } as never) });
    const error = await caught(fetch(at('sequence=reset')));
    expect(error).toMatchObject({ code: 'network' });
    expect(printed(error)).not.toContain('S3CR3T');
    await fetch.close();
  });

  test('of createClient: HTTPError, with its response', async () => {
    const api = createClient({
      retry: 0,
      fetch: async () =>
        Response.json(
          { title: 'no', secret: 'S3CR3T-data' },
          {
            status: 404,
            headers: { 'x-auth-token': 'S3CR3T-response', 'content-type': 'application/problem+json' },
          },
        ),
    });
    const error = (await caught(api.post(`${originUrl()}/x?token=S3CR3T-query`, SECRETS))) as {
      response: Response;
      data: object;
      message: string;
    };
    expect(error).toMatchObject({ name: 'HTTPError', code: 'http-404' });
    expect(error.message.endsWith(`: POST ${originUrl()}/x`)).toBe(true);
    expect(printed(error)).not.toContain('S3CR3T');
    expect(error.response.headers.get('x-auth-token')).toBe('S3CR3T-response');
    expect(error.data).toMatchObject({ secret: 'S3CR3T-data' });
    await api.close();
  });

  test('of createClient: NetworkError', async () => {
    const api = createClient({ retry: 0 });
    const error = await caught(api.post(at('sequence=reset'), SECRETS));
    expect(isFailure(error) && error.code).toBe('network');
    expect(printed(error)).not.toContain('S3CR3T');
    await api.close();
  });
});

test.each([
  ['a bracket', 'https://api.example.com/a?filter=(open)&key=S3CR3T'],
  ['a bracket around the URL', 'request for url (https://api.example.com/a?key=(S3CR3T))'],
  ['a quote in the path', "https://api.example.com/it's?key=S3CR3T"],
  ['a quote around the URL', "'https://api.example.com/a?key=S3CR3T' failed"],
  ['a user with a bracket', 'https://S3CR3T(:S3CR3T@api.example.com/a'],
])('the text of a URL has no query with %s in or around it', (_, text) => {
  expect(withoutQuery(text)).not.toContain('S3CR3T');
  expect(withoutQuery(text)).toContain('api.example.com');
});

test('the text around a URL is kept', () => {
  expect(withoutQuery("error for url (https://api.example.com/a?b=c): it's (over)")).toBe(
    "error for url (https://api.example.com/a): it's (over)",
  );
});
