import { readFile, writeFile } from 'node:fs/promises';
import { SpanKind } from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace-base';
import { expect, test } from 'vitest';
import { openTelemetry } from '../../src/adapters/opentelemetry/opentelemetry.ts';
import { createFetch } from '../../src/client/fetch.ts';
import { breaker } from '../../src/policies/breaker/breaker.ts';
import { cachePolicy } from '../../src/policies/cache/cache.ts';
import { outboxPolicy } from '../../src/policies/outbox/outbox.ts';
import { memoryStore } from '../../src/stores/memory.ts';
import { networkError, ok, scriptedOrigin, status, testHost, virtualClock } from '../../src/testing.ts';
import { durableStore } from '../support/durable.ts';
import { quiet } from '../support/platform.ts';
import { telemetrySdk } from '../support/telemetry-sdk.ts';

const PAGE = 'docs/observability.md';
const COMMAND = 'UPDATE=1 npm test -- spans-table --only node';
const BETWEEN = /(<!-- spans: [^\n]*-->\n)[\s\S]*?(<!-- \/spans -->)/;

const API = 'https://api.example.com';

/** The same for each span, or another in each run. */
const UNTOLD = ['holdfast.call_id', 'server.address', 'server.port', 'url.scheme', 'url.full'];

/** The spans of each story, by the story. */
async function spansOfStories(): Promise<Map<string, ReadableSpan[]>> {
  const sdk = telemetrySdk();
  const stories = new Map<string, ReadableSpan[]>();
  const story = async (name: string, happens: () => Promise<unknown>): Promise<void> => {
    sdk.spans.reset();
    await happens();
    await quiet();
    stories.set(name, sdk.spans.getFinishedSpans().toSorted(byStart));
  };
  const host = testHost({ clock: virtualClock({ quiet, start: Date.now() }) });
  const origin = scriptedOrigin(host.clock);
  const circuits = breaker({ failures: 3 });
  const fetch = createFetch({
    name: 'spans',
    host,
    fetch: origin.fetch,
    partition: 'ann',
    onEvent: openTelemetry().receive,
    staleCache: cachePolicy({ store: memoryStore() }, memoryStore),
    breaker: circuits,
    outbox: outboxPolicy({ store: durableStore() }, memoryStore),
    routes: [{ match: '/stock', operation: 'stock' }],
  });
  const read = async (path: string): Promise<string> => (await fetch(API + path)).text();

  await story('a call with two retries', () => {
    origin.replies(networkError(), status(503), ok('stock'));
    return read('/stock');
  });
  await story('a stale response', () => {
    origin.replies(...Array.from({ length: 3 }, () => status(503)));
    return read('/stock');
  });
  origin.replies(...Array.from({ length: 3 }, () => networkError()));
  for (let n = 0; n < 3; n++) await fetch(API, { holdfast: { retry: false } }).catch(() => {});
  await story('an open circuit', () => read('/prices'));
  circuits.isolate(API);
  await story('an isolated circuit', () => read('/rates').catch(() => {}));
  circuits.reset();
  await story('a write that the outbox delivers', async () => {
    host.connectivity.set(false);
    await fetch(`${API}/orders`, { method: 'POST', body: 'one', holdfast: { outbox: { id: 'order-1' } } });
    await host.clock.advance(60_000);
    origin.replies(status(503));
    host.connectivity.set(true);
    await host.clock.advance(120_000);
  });
  await fetch.close();
  await sdk.stop();
  return stories;
}

const byStart = (one: ReadableSpan, other: ReadableSpan): number =>
  one.startTime[0] - other.startTime[0] || one.startTime[1] - other.startTime[1];

function table(stories: Map<string, ReadableSpan[]>): string {
  const rows = [...stories].flatMap(([story, spans]) =>
    spans
      .filter(({ parentSpanContext }) => !parentSpanContext)
      .flatMap((root) => [root, ...spans.filter((span) => isIn(span, root))])
      .map((span, nth) => row([nth ? '' : story, ...cellsOf(span)])),
  );
  return [row(['', 'span', 'attributes', 'its events']), row(['---', '---', '---', '---']), ...rows].join(
    '\n',
  );
}

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;

const isIn = ({ parentSpanContext }: ReadableSpan, root: ReadableSpan): boolean =>
  parentSpanContext?.spanId === root.spanContext().spanId;

function cellsOf(span: ReadableSpan): string[] {
  const { name, kind, attributes, events } = span;
  const said = Object.entries(attributes).filter(([key]) => !UNTOLD.includes(key));
  return [
    kind === SpanKind.CLIENT ? `↳ \`${name}\`` : `\`${name}\``,
    said.map(([key, value]) => `\`${key}=${value}\``).join(' '),
    events.map((event) => `\`${event.name}\``).join(' '),
  ];
}

test(`the table in ${PAGE} shows the spans that a real SDK receives`, async () => {
  const page = await readFile(PAGE, 'utf8');
  const wanted = table(await spansOfStories());
  const written = page.replace(BETWEEN, (_, begin, end) => `${begin}\n${wanted}\n\n${end}`);
  if (process.env.UPDATE) await writeFile(PAGE, written);
  expect(BETWEEN.test(page)).toBe(true);
  expect(
    page === written || process.env.UPDATE,
    `${PAGE} is out of date; to write it: ${COMMAND}`,
  ).toBeTruthy();
});
