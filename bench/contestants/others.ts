import { createFetch as createOfetch } from 'ofetch';
import CircuitBreaker from 'opossum';
import pRetry from 'p-retry';
import { type Contestant, HOUR, type Transport } from './contestant.ts';

/** A time limit and repetition. */
export const ofetch: Contestant = {
  name: 'ofetch',
  call: (transport) => configured(transport),
  repeating: (transport) => configured(transport),
};

function configured(transport: Transport): (url: string) => Promise<unknown> {
  const ofetch = createOfetch({ fetch: transport as typeof fetch });
  return (url) => ofetch(url, { timeout: 10_000, retry: 2 });
}

/** Repetition alone. */
export const repeated: Contestant = {
  name: 'p-retry',
  call: (transport) => (url) => pRetry(() => strictly(transport, url), { retries: 2, minTimeout: 0 }),
  repeating: (transport) => (url) => pRetry(() => strictly(transport, url), { retries: 2, minTimeout: 0 }),
};

/** A time limit and a circuit. */
export const opossum: Contestant = {
  name: 'opossum',
  call: (transport) => broken(transport),
  breaking: (transport) => broken(transport),
};

function broken(transport: Transport): (url: string) => Promise<unknown> {
  const circuit = new CircuitBreaker((url: string) => strictly(transport, url), {
    timeout: 10_000,
    resetTimeout: HOUR,
  });
  return (url) => circuit.fire(url);
}

async function strictly(transport: Transport, url: string): Promise<unknown> {
  const response = await transport(url);
  if (response.status < 500) return response.json();
  await response.body?.cancel();
  throw new Error(`${response.status}`);
}
