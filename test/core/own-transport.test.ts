import { describe, expect, test } from 'vitest';
import { standard } from '../../src/client/standard.ts';
import { NetworkError } from '../../src/core/errors.ts';
import { ORIGIN, scenario } from '../support/scenario.ts';

const URL_ = `${ORIGIN}/orders`;
const thrown = (work: Promise<unknown>): Promise<unknown> =>
  work.then(
    () => expect.unreachable('it succeeded'),
    (error) => error,
  );

describe("an error of the application's own transport", () => {
  test.each([
    new TypeError("Cannot read properties of undefined (reading 'network')"),
    new Error('the mock has no such route'),
    new RangeError('out of range'),
  ])('%s is a bug: it is not wrapped or repeated, and opens no circuit', async (bug) => {
    const { fetch, origin, emitted } = scenario(standard({ retry: { limit: 2 } }));
    origin.otherwise(() => {
      throw bug;
    });
    for (let call = 0; call < 10; call++) expect(await thrown(fetch(URL_))).toBe(bug);
    expect(origin.seen).toHaveLength(10);
    expect(emitted('circuit')).toEqual([]);
  });

  test.each([
    new TypeError('Failed to fetch'),
    new TypeError('fetch failed'),
    new TypeError('Load failed (api.example.com)'),
    // WebKit, if a service worker responds with `Response.error()`.
    new TypeError('Response served by service worker is an error'),
    new TypeError('NetworkError when attempting to fetch resource.'),
    new TypeError('error sending request for url (https://api.example.com/)'),
    new Error('Network connection lost.'),
    Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' }),
    new Error('request failed', { cause: Object.assign(new Error('gone'), { code: 'ECONNREFUSED' }) }),
    new DOMException('gone', 'NetworkError'),
  ])('%s is a network error', async (error) => {
    const { fetch, origin } = scenario(standard({ retry: { limit: 1 } }));
    origin.otherwise(() => {
      throw error;
    });
    expect(await thrown(fetch(URL_))).toBeInstanceOf(NetworkError);
    expect(origin.seen).toHaveLength(2);
  });
});

test('a transport that is deaf to its signal: the log has the attempt that ran out of time', async () => {
  const { fetch, emitted } = scenario(standard({ timeout: 200, retry: 0, breaker: false }), {
    fetch: () => new Promise(() => {}),
  });
  expect(await thrown(fetch(URL_))).toMatchObject({
    code: 'timeout-attempt',
    attempts: [{ attempt: 1, error: 'timeout-attempt', duration: 200 }],
  });
  expect(emitted('attempt-ended')).toHaveLength(1);
});
