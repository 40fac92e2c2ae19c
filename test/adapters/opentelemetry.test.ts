import { metrics, trace } from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openTelemetry } from '../../src/adapters/opentelemetry/opentelemetry.ts';
import { createFetch } from '../../src/client/fetch.ts';
import { parseTraceparent } from '../../src/http/traceparent.ts';
import { breaker } from '../../src/policies/breaker/breaker.ts';
import { cachePolicy } from '../../src/policies/cache/cache.ts';
import { hedge } from '../../src/policies/hedge.ts';
import { outboxPolicy } from '../../src/policies/outbox/outbox.ts';
import { telemetry } from '../../src/policies/telemetry.ts';
import { memoryStore } from '../../src/stores/memory.ts';
import { hang, networkError, ok, scriptedOrigin, status, testHost, virtualClock } from '../../src/testing.ts';
import { durableStore } from '../support/durable.ts';
import { quiet } from '../support/platform.ts';
import { type TelemetrySdk, telemetrySdk } from '../support/telemetry-sdk.ts';

const ORIGIN = 'https://api.example.com';
const SERVER = { 'server.address': 'api.example.com', 'server.port': 443, 'url.scheme': 'https' };

let sdk: TelemetrySdk;

beforeEach(() => {
  sdk = telemetrySdk();
});
afterEach(() => sdk.stop());

function client(more: object = {}) {
  const host = testHost({ clock: virtualClock({ quiet, start: Date.now() }) });
  const origin = scriptedOrigin(host.clock);
  const otel = openTelemetry();
  const fetch = createFetch({ host, fetch: origin.fetch, onEvent: otel.receive, partition: 'ann', ...more });
  return { fetch, origin, host, clock: host.clock };
}

const finished = (): ReadableSpan[] => sdk.spans.getFinishedSpans();
const attributesOf = (name: string) =>
  finished()
    .filter((span) => span.name === name)
    .map(({ attributes }) => attributes);

describe('spans', () => {
  test('a call has one span, with one in it for each attempt, by the conventions', async () => {
    const { fetch, origin } = client({ routes: [{ match: '/orders', operation: 'list orders' }] });
    origin.replies(networkError(), status(503), ok('four', { headers: { 'content-length': '4' } }));
    await (await fetch(`${ORIGIN}/orders?token=hunter2`)).text();
    const call = finished().find(({ name }) => name === 'list orders') as ReadableSpan;
    expect(call.attributes).toMatchObject({
      'http.request.method': 'GET',
      'http.response.status_code': 200,
      'http.response.body.size': 4,
      'holdfast.operation': 'list orders',
      'holdfast.attempts': 3,
      'holdfast.source': 'network',
      ...SERVER,
    });
    expect(call.attributes['error.type']).toBeUndefined();
    expect(call.events.map(({ name }) => name)).toEqual(['retry', 'retry']);
    expect(call.events.map(({ attributes }) => attributes?.['holdfast.cause'])).toEqual([
      expect.stringContaining('"code":"network"'),
      '{"status":503,"category":"server"}',
    ]);
    const attempts = finished().filter(({ name }) => name === 'GET');
    expect(attempts.map(({ attributes }) => attributes)).toMatchObject([
      { 'error.type': 'network', 'url.full': `${ORIGIN}/orders?…`, ...SERVER },
      { 'error.type': '503', 'http.response.status_code': 503, 'http.request.resend_count': 1 },
      { 'http.response.status_code': 200, 'http.request.resend_count': 2 },
    ]);
    expect(attempts.map(({ parentSpanContext }) => parentSpanContext?.spanId)).toEqual(
      attempts.map(() => call.spanContext().spanId),
    );
    expect(attempts.map(({ status, kind }) => [status.code, kind])).toEqual([
      [2, 2],
      [2, 2],
      [0, 2],
    ]);
    expect(JSON.stringify(finished().map(({ attributes, events }) => [attributes, events]))).not.toContain(
      'hunter2',
    );
    await fetch.close();
  });

  test('spans show that a circuit was open, and that a cached response was stale', async () => {
    const { fetch, origin } = client({
      breaker: breaker({ failures: 1, openFor: '1h' }),
      retry: false,
      staleCache: cachePolicy({ store: memoryStore() }, memoryStore),
    });
    origin.replies(ok('cached'), networkError());
    for (const _ of [1, 2, 3]) {
      await (await fetch(`${ORIGIN}/a`)).text();
      await quiet();
    }
    await fetch(`${ORIGIN}/b`).catch(() => {});
    const calls = finished().filter(({ kind }) => kind === 0);
    expect(calls.map(({ attributes }) => attributes['holdfast.source'] ?? attributes['error.type'])).toEqual([
      'network',
      'stale',
      'stale',
      'circuit-open',
    ]);
    expect(calls[2]?.events.map(({ name }) => name)).toContain('refused');
    await fetch.close();
  });

  test('the sendings of the outbox have spans', async () => {
    const { fetch, origin, host } = client({
      outbox: outboxPolicy({ store: durableStore() }, memoryStore),
      name: 'otel',
    });
    host.connectivity.set(false);
    await fetch(`${ORIGIN}/a`, { method: 'POST', body: 'x', holdfast: { outbox: { id: 'a' } } });
    origin.replies(status(503));
    host.connectivity.set(true);
    await host.clock.advance(60_000);
    expect(attributesOf('outbox sending')).toMatchObject([
      { 'holdfast.outbox.id': 'a', 'holdfast.outbox.outcome': 'postponed', 'error.type': 'postponed' },
      { 'holdfast.outbox.id': 'a', 'holdfast.outbox.outcome': 'delivered', 'holdfast.outbox.attempt': 2 },
    ]);
    await fetch.close();
  });
});

test('the span of a sending without an end event ends when the next begins', () => {
  const { receive } = openTelemetry();
  const sending = { type: 'sending', id: 'a', lane: 'l', origin: ORIGIN } as const;
  receive({ ...sending, callId: 'c1', attempt: 1 });
  receive({ ...sending, callId: 'c2', attempt: 2 });
  receive({ type: 'delivered', id: 'a', lane: 'l', origin: ORIGIN, status: 200 });
  expect(attributesOf('outbox sending')).toMatchObject([
    { 'holdfast.outbox.attempt': 1, 'holdfast.outbox.outcome': 'unknown' },
    { 'holdfast.outbox.attempt': 2, 'holdfast.outbox.outcome': 'delivered' },
  ]);
});

test('the type of an error is a name, not its message', () => {
  const { receive } = openTelemetry();
  const call = { callId: 'c', origin: ORIGIN, method: 'GET', at: 0 } as const;
  const breaks = {
    get(): string {
      throw new Error('mine');
    },
  };
  const odd = [
    Object.assign(new Error('x'), { name: 'token=s3cr3t of Ann' }),
    Object.defineProperty(new Error('x'), 'name', breaks),
  ];
  for (const error of odd) {
    receive({ type: 'call-started', ...call, url: ORIGIN });
    receive({ type: 'call-ended', ...call, duration: 1, attempts: [], error });
  }
  expect(attributesOf('GET').map((each) => each['error.type'])).toEqual(['_OTHER', '_OTHER']);
});

test('the error of an attempt is a code or a name, not other text', async () => {
  const { fetch, origin } = client({ retry: 0 });
  origin.replies(Object.assign(new Error('x'), { name: 'no order of Ann' }), networkError());
  await fetch(ORIGIN).catch(() => {});
  await fetch(ORIGIN).catch(() => {});
  const attempts = attributesOf('GET').filter((each) => 'url.full' in each);
  expect(attempts.map((each) => each['error.type'])).toEqual(['_OTHER', 'network']);
});

describe('metrics', () => {
  test('metrics are durations of attempts and calls, and counts of decisions', async () => {
    const { fetch, origin } = client();
    origin.replies(status(503));
    await fetch(`${ORIGIN}/a`);
    await sdk.reader.forceFlush();
    const [resource] = sdk.metrics.getMetrics();
    const all = resource?.scopeMetrics.flatMap((scope) => scope.metrics) ?? [];
    const points = (name: string) => all.find(({ descriptor }) => descriptor.name === name)?.dataPoints ?? [];
    expect(points('http.client.request.duration').map(({ attributes }) => attributes)).toEqual([
      { 'http.request.method': 'GET', 'http.response.status_code': 503, 'error.type': '503', ...SERVER },
      { 'http.request.method': 'GET', 'http.response.status_code': 200, ...SERVER },
    ]);
    expect(points('holdfast.call.duration').map(({ attributes }) => attributes)).toEqual([
      {
        'http.request.method': 'GET',
        'http.response.status_code': 200,
        'holdfast.source': 'network',
        ...SERVER,
      },
    ]);
    expect(
      points('holdfast.events').map(({ attributes, value }) => [attributes['holdfast.event'], value]),
    ).toEqual([['retry', 1]]);
    await fetch.close();
  });
});

test('the attempt of a hedge counts as one that is sent again', async () => {
  const { fetch, origin } = client({ hedge: hedge({ delay: 100 }) });
  origin.replies(hang(), ok('second'));
  await (await fetch(`${ORIGIN}/a`)).text();
  const counts = finished().map(({ attributes }) => attributes['http.request.resend_count']);
  expect(counts.filter((count) => count !== undefined)).toEqual([1]);
  await fetch.close();
});

test('an origin gets the span of the call as its parent', async () => {
  const otel = openTelemetry();
  const { fetch, origin } = client({
    onEvent: otel.receive,
    telemetry: telemetry({ origins: [ORIGIN], parent: otel.parent }),
  });
  origin.replies(networkError());
  await (await fetch(`${ORIGIN}/a`)).text();
  const call = finished().find(({ attributes }) => 'holdfast.attempts' in attributes) as ReadableSpan;
  const { traceId, spanId } = call.spanContext();
  expect(origin.seen.map(({ headers }) => parseTraceparent(headers.get('traceparent')))).toMatchObject([
    { traceId, parentId: spanId },
    { traceId, parentId: spanId },
  ]);
  await fetch.close();
});

test('openTelemetry is silent without an SDK', async () => {
  trace.disable();
  metrics.disable();
  const { fetch } = client();
  expect((await fetch(`${ORIGIN}/a`)).status).toBe(200);
  expect(openTelemetry().parent()).toBeUndefined();
  expect(() => openTelemetry({ traces: true } as object)).toThrow(/openTelemetry\.traces/);
  await fetch.close();
});
