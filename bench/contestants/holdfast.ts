import { bulkhead, createClient, createFetch, dedupe, telemetry } from '../../src/index.ts';
import { jsonLines, listeners } from '../../src/log.ts';
import { metrics } from '../../src/metrics.ts';
import { type Contestant, HOUR, reading, type Transport, type Use } from './contestant.ts';

const atOnce = { delay: () => 0, jitter: 'none', budget: false } as const;
/** Puts the transport in the place of the platform's fetch, as most applications have it. */
const overPlatforms = (transport: Transport, use: Use): Use => {
  const fetch = transport as typeof globalThis.fetch;
  return (url) => {
    globalThis.fetch = fetch;
    return use(url);
  };
};

/** It counts, and never has enough. */
const tireless = { failures: 1e9 };
const stubborn = { openFor: HOUR, maxOpenFor: HOUR };

/** All defaults: time limits, retry, breaker. */
export const viaFetch: Contestant = {
  name: 'holdfast createFetch',
  call: (fetch) => overPlatforms(fetch, reading(createFetch())),
  repeating: (fetch) => overPlatforms(fetch, reading(createFetch({ retry: atOnce, breaker: tireless }))),
  breaking: (fetch) => overPlatforms(fetch, reading(createFetch({ retry: atOnce, breaker: stubborn }))),
};

/** A limit that is never reached, as usually. */
const roomy = { limit: 1_000 };

export const withBulkhead: Contestant = {
  name: '… and bulkhead',
  call: (fetch) => overPlatforms(fetch, reading(createFetch({ bulkhead: bulkhead(roomy) }))),
  repeating: (fetch) =>
    overPlatforms(
      fetch,
      reading(createFetch({ bulkhead: bulkhead(roomy), retry: atOnce, breaker: tireless })),
    ),
  breaking: (fetch) =>
    overPlatforms(
      fetch,
      reading(createFetch({ bulkhead: bulkhead(roomy), retry: atOnce, breaker: stubborn })),
    ),
};

export const withDedupe: Contestant = {
  name: '… and dedupe',
  call: (fetch) =>
    overPlatforms(
      fetch,
      reading(createFetch({ partition: 'public', bulkhead: bulkhead(roomy), dedupe: dedupe() })),
    ),
};

/** Trace headers go with each request, and nobody listens. */
export const withTelemetry: Contestant = {
  name: '… and telemetry',
  call: (fetch) =>
    overPlatforms(
      fetch,
      reading(createFetch({ telemetry: telemetry({ origins: ['https://api.example.com'] }) })),
    ),
};

/** Each call and each attempt is counted. */
export const withMetrics: Contestant = {
  name: '… and metrics',
  call: (fetch) => overPlatforms(fetch, reading(createFetch({ onEvent: metrics().receive }))),
};

/** Each event is a line, which nobody reads. */
export const withLogs: Contestant = {
  name: '… and metrics, JSON lines',
  call: (fetch) =>
    overPlatforms(
      fetch,
      reading(createFetch({ onEvent: listeners(metrics().receive, jsonLines({ write: () => {} })) })),
    ),
};

export const viaClient: Contestant = {
  name: 'holdfast createClient',
  call: (fetch) => {
    const client = createClient();
    return overPlatforms(fetch, (url) => client.get(url).json());
  },
  repeating: (fetch) => {
    const client = createClient({ retry: atOnce, breaker: tireless });
    return overPlatforms(fetch, (url) => client.get(url).json());
  },
  breaking: (fetch) => {
    const client = createClient({ retry: atOnce, breaker: stubborn });
    return overPlatforms(fetch, (url) => client.get(url).json());
  },
};
