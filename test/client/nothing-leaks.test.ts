import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openTelemetry } from '../../src/adapters/opentelemetry/opentelemetry.ts';
import { createFetch } from '../../src/client/fetch.ts';
import type { HoldfastEvent } from '../../src/core/events.ts';
import type { AtomicStore } from '../../src/core/store.ts';
import { clientHealth } from '../../src/observability/health/client.ts';
import { consoleListener, jsonLines } from '../../src/observability/log/listeners.ts';
import { userMessage } from '../../src/observability/log/messages.ts';
import { recordOf } from '../../src/observability/log/record.ts';
import { metrics } from '../../src/observability/metrics/metrics.ts';
import { toProblemResponse } from '../../src/observability/problem.ts';
import { auth } from '../../src/policies/auth/auth.ts';
import { cachePolicy } from '../../src/policies/cache/cache.ts';
import { outboxPolicy } from '../../src/policies/outbox/outbox.ts';
import { telemetry } from '../../src/policies/telemetry.ts';
import { isFailure } from '../../src/primitives/failure.ts';
import { encryptWith } from '../../src/stores/encryption.ts';
import { memoryStore } from '../../src/stores/memory.ts';
import { scriptedOrigin, testHost, virtualClock } from '../../src/testing.ts';
import { durableStore } from '../support/durable.ts';
import { quiet } from '../support/platform.ts';
import { type TelemetrySdk, telemetrySdk } from '../support/telemetry-sdk.ts';

const ORIGIN = 'https://api.example.com';

/**
 * Texts that must appear nowhere, by where they are; some look like a secret, and some like any
 * word.
 */
const SECRETS = {
  token: 'eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiI0MiJ9.c2VjcmV0LXNpZ25hdHVyZQ',
  ownHeader: 'plain-looking-header',
  query: 'plain-looking-query',
  fragment: 'plain-looking-fragment',
  path: '8f14e45fceea167a5a36dedd4bea2543abc',
  body: 'plain-looking-body',
  response: 'plain-looking-response',
  responseHeader: 'plain-looking-response-header',
  cause: 'plain-looking-cause',
  meta: 'plain-looking-meta',
  partition: 'plain-looking-user',
} as const;
type Where = keyof typeof SECRETS;

const URL_ = `${ORIGIN}/reset/${SECRETS.path}?q=${SECRETS.query}#${SECRETS.fragment}`;

const found = (text: string): Where[] =>
  (Object.keys(SECRETS) as Where[]).filter((where) => text.includes(SECRETS[where]));

let sdk: TelemetrySdk;
let close: () => Promise<void>;

beforeEach(() => {
  sdk = telemetrySdk();
});
afterEach(async () => {
  await close();
  await sdk.stop();
});

/** As Deno's, which quotes the whole URL; and one of an application's own transport. */
const failures = [
  () => new TypeError(`error sending request for url (${URL_}): connection refused`),
  () =>
    Object.assign(new Error(`refused: "token": "${SECRETS.cause}"`), {
      headers: { authorization: SECRETS.token },
    }),
];

const refusal = (status: number): Response =>
  new Response(JSON.stringify({ title: SECRETS.response, detail: SECRETS.response }), {
    status,
    headers: { 'content-type': 'application/problem+json', 'x-session': SECRETS.responseHeader },
  });

/**
 * Makes calls that succeed and calls that fail, with secrets in every place; returns all that
 * listeners received.
 */
async function scenario() {
  const host = testHost({ clock: virtualClock({ quiet, start: Date.now() }) });
  const origin = scriptedOrigin(host.clock);
  const events: HoldfastEvent[] = [];
  const lines: string[] = [];
  const console_ = Object.fromEntries(
    ['debug', 'warn', 'error'].map((level) => [level, (...said: unknown[]) => lines.push(said.join(' '))]),
  );
  const numbers = metrics({
    thresholds: { errorRate: 0.1 },
    onAlarm: (alarm) => lines.push(JSON.stringify(alarm)),
  });
  const listeners = [
    (event: HoldfastEvent) => events.push(event),
    consoleListener({ console: console_ as never }),
    jsonLines({ write: (text) => void lines.push(text) }),
    numbers.receive,
    openTelemetry().receive,
  ];
  const stores = { outbox: durableStore(), cache: memoryStore() };
  const box = outboxPolicy({ store: stores.outbox, persistHeaders: ['x-kept'] }, memoryStore);
  const fetch = createFetch({
    name: 'leaks',
    host,
    fetch: origin.fetch,
    partition: SECRETS.partition,
    onEvent: (event) => {
      for (const receive of listeners) receive(event);
    },
    auth: auth({ scheme: 'bearer', origins: [ORIGIN], token: SECRETS.token }),
    telemetry: telemetry({ origins: [ORIGIN], requestId: true }),
    staleCache: cachePolicy({ store: stores.cache, encryption: encryptWith(await key()) }, memoryStore),
    outbox: box,
    breaker: false,
  });
  close = () => fetch.close();
  const errors: unknown[] = [];
  const call = async (init: Parameters<typeof fetch>[1] = {}): Promise<void> => {
    try {
      const response = await fetch(URL_, {
        ...init,
        headers: { ...(init.headers as Record<string, string>), 'x-whatever': SECRETS.ownHeader },
      });
      await response.text();
    } catch (error) {
      errors.push(error);
    }
    await quiet();
  };
  const write = { method: 'POST', body: JSON.stringify({ word: SECRETS.body }) };
  const kept = { outbox: { id: 'a', meta: { word: SECRETS.meta } } };

  for (const failure of failures) {
    origin.otherwise(() => Promise.reject(failure()));
    await call();
    await call({ ...write, holdfast: { outbox: false } });
  }
  for (const status of [400, 401, 404, 409, 422, 429, 503]) {
    origin.otherwise(() => refusal(status));
    await call();
  }
  origin.otherwise(() => new Response(SECRETS.response, { headers: { 'cache-control': 'max-age=60' } }));
  await call();
  origin.otherwise(() => refusal(422));
  await call({ ...write, holdfast: kept });
  await host.clock.advance(60_000);
  host.connectivity.set(false);
  await call({ ...write, holdfast: { outbox: { id: 'b', meta: kept.outbox.meta } } });
  return { events, lines, numbers, errors, stores, box };
}

const key = (): Promise<CryptoKey> =>
  crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);

/** All stored items, as a text. */
async function contentsOf(store: AtomicStore): Promise<string> {
  const items = await store.rangeWithBodies({});
  const bodies = items.map(async ({ body }) =>
    typeof body === 'string' ? body : body ? await new Response(body as Blob).text() : '',
  );
  return JSON.stringify(items) + (await Promise.all(bodies)).join('\n');
}

describe('no secret leaves', () => {
  test('events contain no secret: as a record, a line of the console, a line of JSON', async () => {
    const { events, lines } = await scenario();
    const types = new Set(events.map(({ type }) => type));
    for (const type of ['call-ended', 'retry', 'attempt-ended', 'queued', 'dead-lettered', 'headers-dropped'])
      expect(types).toContain(type);
    for (const event of events) expect(found(JSON.stringify(recordOf(event, 0)))).toEqual([]);
    expect(lines.length).toBeGreaterThan(20);
    expect(found(lines.join('\n'))).toEqual([]);
  });

  test('errors contain no secret: as JSON, as a sentence for people, as the response of a server', async () => {
    const { errors } = await scenario();
    expect(errors.length).toBeGreaterThan(1);
    for (const error of errors) {
      if (isFailure(error)) expect(found(JSON.stringify(error))).toEqual([]);
      expect(found(userMessage(error))).toEqual([]);
      const response = toProblemResponse(error);
      expect(found((await response.text()) + JSON.stringify([...response.headers]))).toEqual([]);
    }
  });

  test('spans and the labels of metrics contain no secret', async () => {
    const { numbers, box } = await scenario();
    const ended = sdk.spans.getFinishedSpans();
    expect(ended.length).toBeGreaterThan(20);
    for (const { name, attributes, events, status } of ended)
      expect(found(JSON.stringify([name, attributes, events, status]))).toEqual([]);
    await sdk.reader.forceFlush();
    const measured = sdk.metrics.getMetrics().flatMap(({ scopeMetrics }) => scopeMetrics);
    const labels = measured.flatMap(({ metrics }) =>
      metrics.flatMap(({ descriptor, dataPoints }) => [
        descriptor,
        ...dataPoints.map((each) => each.attributes),
      ]),
    );
    expect(labels.length).toBeGreaterThan(10);
    expect(found(JSON.stringify(labels))).toEqual([]);
    expect(found(JSON.stringify(numbers.snapshot()))).toEqual([]);
    expect(found(JSON.stringify(await clientHealth({ outbox: box })))).toEqual([]);
  });
});

describe('stored data', () => {
  test('a stored write and a dead letter have no credential, and only the headers that are named', async () => {
    const { stores } = await scenario();
    const kept = found(await contentsOf(stores.outbox));
    expect(kept).toEqual(expect.arrayContaining(['query', 'body', 'meta']));
    expect(kept).not.toEqual(expect.arrayContaining(['token']));
    expect(kept).not.toEqual(expect.arrayContaining(['ownHeader']));
  });

  test('an encrypted cached response shows nothing', async () => {
    const { stores } = await scenario();
    const contents = await contentsOf(stores.cache);
    expect(contents).not.toBe('[]');
    expect(found(contents).filter((where) => where !== 'partition')).toEqual([]);
  });
});
