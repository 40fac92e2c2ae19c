import {
  bulkhead,
  createClient,
  createFetch,
  dedupe,
  jsonLines,
  listeners,
  metrics,
  telemetry,
} from '../../src/index.ts';
import { type Contestant, HOUR, reading } from './contestant.ts';

const atOnce = { delay: () => 0, jitter: 'none', budget: false } as const;
/** It counts, and never has enough. */
const tireless = { failures: 1e9 };
const stubborn = { openFor: HOUR, maxOpenFor: HOUR };

/** All defaults: time limits, retry, breaker. */
export const viaFetch: Contestant = {
  name: 'holdfast createFetch',
  call: (fetch) => reading(createFetch({ fetch })),
  repeating: (fetch) => reading(createFetch({ fetch, retry: atOnce, breaker: tireless })),
  breaking: (fetch) => reading(createFetch({ fetch, retry: atOnce, breaker: stubborn })),
};

/** A limit that is never reached, as usually. */
const roomy = { limit: 1_000 };

export const withBulkhead: Contestant = {
  name: '… and bulkhead',
  call: (fetch) => reading(createFetch({ fetch, bulkhead: bulkhead(roomy) })),
  repeating: (fetch) =>
    reading(createFetch({ fetch, bulkhead: bulkhead(roomy), retry: atOnce, breaker: tireless })),
  breaking: (fetch) =>
    reading(createFetch({ fetch, bulkhead: bulkhead(roomy), retry: atOnce, breaker: stubborn })),
};

export const withDedupe: Contestant = {
  name: '… and dedupe',
  call: (fetch) =>
    reading(createFetch({ fetch, partition: 'public', bulkhead: bulkhead(roomy), dedupe: dedupe() })),
};

/** Trace headers go with each request, and nobody listens. */
export const withTelemetry: Contestant = {
  name: '… and telemetry',
  call: (fetch) =>
    reading(createFetch({ fetch, telemetry: telemetry({ origins: ['https://api.example.com'] }) })),
};

/** Each call and each attempt is counted. */
export const withMetrics: Contestant = {
  name: '… and metrics',
  call: (fetch) => reading(createFetch({ fetch, onEvent: metrics().hear })),
};

/** Each event is a line, which nobody reads. */
export const withLogs: Contestant = {
  name: '… and metrics, JSON lines',
  call: (fetch) =>
    reading(createFetch({ fetch, onEvent: listeners(metrics().hear, jsonLines({ write: () => {} })) })),
};

export const viaClient: Contestant = {
  name: 'holdfast createClient',
  call: (fetch) => {
    const client = createClient({ fetch });
    return (url) => client.get(url).json();
  },
  repeating: (fetch) => {
    const client = createClient({ fetch, retry: atOnce, breaker: tireless });
    return (url) => client.get(url).json();
  },
  breaking: (fetch) => {
    const client = createClient({ fetch, retry: atOnce, breaker: stubborn });
    return (url) => client.get(url).json();
  },
};
