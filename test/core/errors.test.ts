import { HTTPError } from 'ky';
import { describe, expect, test } from 'vitest';
import { standard } from '../../src/client/standard.ts';
import {
  CapacityError,
  CircuitOpenError,
  NetworkError,
  StorageError,
  TimeoutError,
} from '../../src/core/errors.ts';
import { ConfigurationError, equipped } from '../../src/primitives/failure.ts';
import { networkError, status } from '../../src/testing.ts';
import { ORIGIN, scenario } from '../support/scenario.ts';

/** In the query, the fragment, a header, the body, the cause. */
const request = new Request('https://api.example.com/x?token=SECRET#SECRET', {
  method: 'POST',
  headers: { authorization: 'Bearer SECRET' },
  body: 'SECRET',
});
const facts = { request, cause: new Error('SECRET'), callId: 'a-1', origin: ORIGIN };

describe('what a log may see of an error', () => {
  test.each([
    new NetworkError(`error sending request for url (${request.url})`, facts),
    new NetworkError('error sending request for url (https://api.example.com/x#SECRET)', facts),
    new TimeoutError('attempt', 1000, facts),
    new CircuitOpenError(facts),
    new StorageError('the disk is full', facts),
    new CapacityError('outbox-full', 'full', facts),
    new ConfigurationError('headers', { authorization: 'Bearer SECRET' }, 'expected none'),
    Object.assign(new StorageError('the response does not fit', facts), { issues: [{ input: 'SECRET' }] }),
    equipped(new HTTPError(status(503), request, {} as never), {
      code: 'http-503',
      category: 'server',
      ...facts,
    }),
  ])('%o: the facts, and nothing secret', (error) => {
    const json = JSON.stringify(error);
    expect(json).not.toContain('SECRET');
    expect(JSON.parse(json)).toMatchObject({
      name: error.name,
      code: expect.any(String),
      category: expect.any(String),
      transient: expect.any(Boolean),
      attempts: [],
    });
  });

  test('of a call has its attempts, each with its origin and without its URL', async () => {
    const { fetch, origin } = scenario(standard({ retry: { limit: 1 } }));
    origin.otherwise(networkError());
    const error = await fetch(request).catch((thrown) => thrown);
    const json = JSON.stringify(error);
    expect(json).not.toContain('SECRET');
    expect(JSON.parse(json)).toMatchObject({ attempts: [{ attempt: 1, origin: ORIGIN, error: 'network' }] });
  });
});
