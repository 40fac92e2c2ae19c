import { describe, expect, test } from 'vitest';
import { parseTraceparent } from '../../src/http/traceparent.ts';
import { failover } from '../../src/policies/failover.ts';
import { retry } from '../../src/policies/retry/retry.ts';
import { type TelemetryOptions, telemetry } from '../../src/policies/telemetry.ts';
import { networkError, status } from '../../src/testing.ts';
import { ORIGIN, scenario } from '../support/scenario.ts';

const URL_ = `${ORIGIN}/orders`;
const PARENT = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00';

const telling = (more: Partial<TelemetryOptions> = {}) => telemetry({ origins: [ORIGIN], ...more });
const traces = (seen: readonly { headers: Headers }[]) =>
  seen.map(({ headers }) => parseTraceparent(headers.get('traceparent')));

describe('a named origin', () => {
  test('a named origin receives one trace for all attempts of a call, each a span of its own', async () => {
    const { fetch, origin } = scenario([retry(), telling()]);
    origin.replies(networkError(), status(503));
    await fetch(URL_);
    await fetch(URL_);
    const [one, two, three, other] = traces(origin.seen);
    expect(one?.traceId).toMatch(/^[0-9a-f]{32}$/);
    expect([two?.traceId, three?.traceId]).toEqual([one?.traceId, one?.traceId]);
    expect(new Set([one, two, three].map((trace) => trace?.parentId)).size).toBe(3);
    expect(other?.traceId).not.toBe(one?.traceId);
  });

  test('a named origin receives the id of the call if the option says so', async () => {
    const { fetch, origin, emitted } = scenario([
      telling({ requestId: true }),
      telling({ requestId: 'X-Call' }),
    ]);
    await fetch(URL_);
    const callId = emitted('call-started')[0]?.callId as string;
    const { headers } = origin.seen[0] as { headers: Headers };
    expect([headers.get('x-request-id'), headers.get('x-call')]).toEqual([callId, callId]);
  });

  test('a named origin receives the trace of the caller, with its sampling', async () => {
    const asked: string[] = [];
    const parent = (callId: string) => {
      asked.push(callId);
      return PARENT;
    };
    const { fetch, origin, emitted } = scenario([retry(), telling({ parent })]);
    origin.replies(networkError());
    await fetch(URL_);
    // A span of its own would be known to no backend.
    expect(origin.seen.map(({ headers }) => headers.get('traceparent'))).toEqual([PARENT, PARENT]);
    expect(asked).toEqual([emitted('call-started')[0]?.callId]);
  });

  test.each<[string, () => string | undefined]>([
    ['malformed', () => 'garbage'],
    ['missing', () => undefined],
    [
      'an error',
      () => {
        throw new Error('no context');
      },
    ],
  ])('a named origin receives a new trace if the context is %s', async (_, parent) => {
    const { fetch, origin } = scenario([telling({ parent })]);
    await fetch(URL_);
    expect(traces(origin.seen)[0]?.sampled).toBe(true);
  });

  test('a named origin receives a custom header unchanged', async () => {
    const { fetch, origin } = scenario([telling({ requestId: true })]);
    await fetch(URL_, { headers: { traceparent: PARENT, 'x-request-id': 'mine' } });
    const { headers } = origin.seen[0] as { headers: Headers };
    expect([headers.get('traceparent'), headers.get('x-request-id')]).toEqual([PARENT, 'mine']);
  });

  test('a named origin receives the body of a write', async () => {
    const { fetch, origin } = scenario([telling({ requestId: true })]);
    await fetch(URL_, { method: 'POST', body: 'order' });
    expect(origin.seen[0]?.body).toBe('order');
  });
});

describe('another origin', () => {
  test('another origin receives no trace, even if the call fails over to it', async () => {
    const other = 'https://other.example';
    const { fetch, origin } = scenario([
      failover({ origins: [ORIGIN, other] }),
      telling({ requestId: true }),
    ]);
    origin.replies(networkError());
    await fetch(URL_);
    await fetch('https://third.example/');
    const sent = origin.seen.map(({ url, headers }) => [
      new URL(url).origin,
      headers.has('traceparent'),
      headers.has('x-request-id'),
    ]);
    expect(sent).toEqual([
      [ORIGIN, true, true],
      [other, false, false],
      ['https://third.example', false, false],
    ]);
  });
});

test('a call may switch telemetry off', async () => {
  const { fetch, origin } = scenario([telling()]);
  await fetch(URL_, { holdfast: { telemetry: false } });
  expect(origin.seen[0]?.headers.has('traceparent')).toBe(false);
});

test('an impossible telemetry option throws an error', () => {
  expect(() => telemetry({} as never)).not.toThrow();
  expect(() => telling({ origins: ['api.example.com'] })).toThrow(
    /telemetry\.origins: 'api\.example\.com' .* origin/,
  );
  expect(() => telling({ requestId: 'X Request' })).toThrow(
    /telemetry\.requestId: 'X Request' .* name of a header/,
  );
  expect(() => telling({ parent: PARENT as never })).toThrow(/telemetry\.parent: .* a function/);
});
