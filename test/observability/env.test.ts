import { describe, expect, test } from 'vitest';
import { createFetch } from '../../src/client/fetch.ts';
import { optionsFromEnv } from '../../src/observability/env.ts';

describe('environment variables', () => {
  test('optionsFromEnv reads each variable as one option', () => {
    expect(
      optionsFromEnv({
        PATH: '/usr/bin',
        HOLDFAST_BASE_URL: 'https://api.example.com/v1/',
        HOLDFAST_NAME: 'orders',
        HOLDFAST_TIMEOUT: '5s',
        HOLDFAST_TIMEOUT_TOTAL: '20000',
        HOLDFAST_TIMEOUT_IDLE: 'false',
        HOLDFAST_RETRY: '3',
        HOLDFAST_RETRY_METHODS: 'GET, PUT',
        HOLDFAST_RETRY_STATUS_CODES: '502,503',
        HOLDFAST_RETRY_JITTER: 'equal',
        HOLDFAST_RETRY_BACKOFF_LIMIT: '4s',
        HOLDFAST_RETRY_BUDGET: 'false',
        HOLDFAST_BREAKER_FAILURES: '3',
        HOLDFAST_BREAKER_MAX_WAIT: '2s',
        HOLDFAST_BREAKER_SUCCESSES: '2',
        HOLDFAST_BREAKER_SLOW_START: 'false',
      }),
    ).toEqual({
      baseUrl: 'https://api.example.com/v1/',
      name: 'orders',
      timeout: { attempt: '5s', total: 20_000, idle: false },
      retry: {
        limit: 3,
        methods: ['GET', 'PUT'],
        statusCodes: [502, 503],
        jitter: 'equal',
        backoffLimit: '4s',
        budget: false,
      },
      breaker: { failures: 3, maxWait: '2s', successes: 2, slowStart: false },
    });
  });

  test('optionsFromEnv switches a policy off by `false`, and leaves it as it is by `true`', () => {
    expect(
      optionsFromEnv({ HOLDFAST_TIMEOUT: 'false', HOLDFAST_RETRY: 'false', HOLDFAST_BREAKER: 'false' }),
    ).toEqual({ timeout: false, retry: false, breaker: false });
    expect(optionsFromEnv({ HOLDFAST_BREAKER: 'true' })).toEqual({ breaker: {} });
  });

  test('optionsFromEnv ignores variables that are empty or no text', () => {
    const env = {
      HOLDFAST_TIMEOUT: ' ',
      HOLDFAST_RETRY: undefined,
      HOLDFAST_KV: { get() {} },
      HOLDFAST_QUEUE: () => 1,
    };
    expect(optionsFromEnv(env)).toEqual({});
  });

  test('optionsFromEnv reads variables with another prefix, and typed values as Vite’s', () => {
    const env = { VITE_API_TIMEOUT: '2s', VITE_API_BREAKER: false, DEV: true, HOLDFAST_RETRY: 'ignored' };
    expect(optionsFromEnv(env, { prefix: 'VITE_API_' })).toEqual({
      timeout: { attempt: '2s' },
      breaker: false,
    });
  });

  test('optionsFromEnv gives what makes a pipeline', async () => {
    const fetch = createFetch({
      ...optionsFromEnv({ HOLDFAST_TIMEOUT: '1s', HOLDFAST_RETRY: '0' }),
      fetch: async () => new Response('ok'),
    });
    expect(await (await fetch('https://api.example.com/')).text()).toBe('ok');
    await fetch.close();
  });
});

describe('optionsFromEnv throws an error that names the variable, its value and what is allowed', () => {
  test.each<[Record<string, string>, RegExp]>([
    [
      { HOLDFAST_TIMEOUT: 'fast' },
      /^HOLDFAST_TIMEOUT: 'fast' is not allowed; expected a number of milliseconds or a string/,
    ],
    [{ HOLDFAST_TIMEOUT_IDLE: '-1' }, /^HOLDFAST_TIMEOUT_IDLE: -1 is not allowed/],
    [{ HOLDFAST_RETRY: 'often' }, /^HOLDFAST_RETRY: 'often' is not allowed; expected a whole number/],
    [
      { HOLDFAST_RETRY_JITTER: 'some' },
      /^HOLDFAST_RETRY_JITTER: 'some' is not allowed; expected one of added, full/,
    ],
    [
      { HOLDFAST_RETRY_STATUS_CODES: '503,oops' },
      /^HOLDFAST_RETRY_STATUS_CODES: .* expected a number from 100 to 599/,
    ],
    [{ HOLDFAST_BREAKER: 'maybe' }, /^HOLDFAST_BREAKER: 'maybe' is not allowed; expected true or false/],
    [
      { HOLDFAST_BREAKER_FAILURES: '0' },
      /^HOLDFAST_BREAKER_FAILURES: 0 is not allowed; expected a whole number from 1/,
    ],
    [{ HOLDFAST_BASE_URL: 'api' }, /^HOLDFAST_BASE_URL: 'api' is not allowed; expected an absolute URL/],
    // A URL as well, of a scheme called `localhost`.
    [
      { HOLDFAST_BASE_URL: 'localhost:3000' },
      /^HOLDFAST_BASE_URL: .* expected an absolute URL \(http or https\)/,
    ],
    [
      { HOLDFAST_TIMEOTU: '5s' },
      /^HOLDFAST_TIMEOTU: .* unknown variable; known: HOLDFAST_BASE_URL, .*HOLDFAST_TIMEOUT_TOTAL/,
    ],
  ])('variable %j', (env, message) => {
    expect(() => optionsFromEnv(env)).toThrow(message);
  });

  test.each([undefined, null, 'HOLDFAST_RETRY=1'])(
    'optionsFromEnv throws if the environment is %j',
    (env) => {
      expect(() => optionsFromEnv(env as never)).toThrow(/optionsFromEnv\.env: .* expected an object/);
    },
  );

  test('optionsFromEnv throws if two variables do not fit together', () => {
    expect(() =>
      optionsFromEnv({ APP_BREAKER_OPEN_FOR: '10s', APP_BREAKER_MAX_OPEN_FOR: '5s' }, { prefix: 'APP_' }),
    ).toThrow(/APP_BREAKER_OPEN_FOR/);
  });

  test('optionsFromEnv prints no value that may be a secret', () => {
    const secret = 'sk_live_51H8x0000000000000000';
    for (const name of ['HOLDFAST_TIMEOUT', 'HOLDFAST_TOKEN', 'HOLDFAST_BASE_URL', 'HOLDFAST_RETRY_METHODS'])
      for (const value of [secret, `user:${secret}@host`]) {
        let message = '';
        try {
          optionsFromEnv({ [name]: value });
        } catch (error) {
          message = `${error} ${JSON.stringify(error)}`;
        }
        expect(message).not.toContain('sk_live');
      }
  });

  test('optionsFromEnv passes over a variable of the application’s own if the option says so', () => {
    expect(optionsFromEnv({ HOLDFAST_TOKEN: 'x', HOLDFAST_RETRY: '1' }, { unknown: 'ignore' })).toEqual({
      retry: { limit: 1 },
    });
    expect(() => optionsFromEnv({}, { unknown: 'warn' } as object)).toThrow(
      /optionsFromEnv\.unknown: 'warn'/,
    );
  });
});
