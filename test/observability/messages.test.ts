import { describe, expect, test } from 'vitest';
import { CapacityError, NetworkError, TimeoutError } from '../../src/core/errors.ts';
import { type Messages, userMessage } from '../../src/observability/log/messages.ts';
import { HoldfastError } from '../../src/primitives/failure.ts';
import { status } from '../../src/testing.ts';

const SECRET = 's3cr3t-t0ken';
const broken = Proxy.revocable({}, {});
broken.revoke();
const failures: readonly unknown[] = [
  new NetworkError(`connect ECONNREFUSED 10.0.0.7:5432 ${SECRET}`, { callId: 'c1' }),
  new TimeoutError('total', 5_000, { origin: 'https://internal.example' }),
  new CapacityError('outbox-full', `the outbox holds 1000 entries ${SECRET}`),
  new HoldfastError(SECRET, { code: SECRET, category: 'unknown' }),
  new TypeError(SECRET),
  Object.assign(new Error(SECRET), { response: status(500) }),
  status(503),
  SECRET,
  { category: SECRET, code: SECRET },
  broken.proxy,
  Object.defineProperty({}, 'category', {
    get() {
      throw new Error(SECRET);
    },
  }),
  { name: { toString: null } },
  Object.freeze({ callId: 1n, retryAt: 'soon' }),
  null,
  undefined,
  7,
];

describe('a message for people', () => {
  test.each(failures.map((failure, nth) => [nth, failure] as const))(
    'a message is a sentence with nothing of the failure in it: %i',
    (_, failure) => {
      const said = userMessage(failure);
      expect(said).toMatch(/^[A-Z][^<>{}]{5,120}\.$/);
      expect(said).not.toMatch(/s3cr3t|10\.0|internal|TypeError|entries of|status|\d{3}/);
    },
  );

  test('a message depends on the code, else on the status, else on the category', () => {
    expect(userMessage(new CapacityError('outbox-full', ''))).toMatch(/wait to be sent/);
    expect(userMessage(new CapacityError('bulkhead-full', ''))).toMatch(/at once/);
    expect(userMessage(status(404))).toMatch(/does not exist/);
    expect(userMessage(Object.assign(new Error(), { response: status(403) }))).toMatch(/may not/);
    expect(userMessage(status(401))).toMatch(/Sign in/);
    expect(userMessage(status(418))).toMatch(/could not be done/);
  });

  test('a message is in the requested language if there is one, else in English', () => {
    const german: Messages = { network: 'Keine Verbindung.', 404: 'Das gibt es nicht.' };
    expect(userMessage(new NetworkError('', {}), german)).toBe('Keine Verbindung.');
    expect(userMessage(status(404), german)).toBe('Das gibt es nicht.');
    expect(userMessage(status(500), german)).toMatch(/^The service/);
  });

  test('a message may contain facts that are no secret', () => {
    const error = new HoldfastError('x', {
      code: 'x',
      category: 'rate-limit',
      transient: true,
      retryAt: 5,
      callId: 'c',
    });
    const seen: unknown[] = [];
    expect(userMessage(error, { 'rate-limit': (facts) => `${seen.push(facts)} time.` })).toBe('1 time.');
    expect(seen).toEqual([{ category: 'rate-limit', transient: true, retryAt: 5, callId: 'c' }]);
  });

  test('a message that throws is replaced by the English one', () => {
    const broken: Messages = {
      network: () => {
        throw new Error('no translation');
      },
      server: '',
    };
    expect(userMessage(new NetworkError('', {}), broken)).toMatch(/^There is no connection/);
    expect(userMessage(status(500), broken)).toMatch(/^The service/);
  });
});
