import { createClient as createFfetch } from '@fetchkit/ffetch';
import {
  ConsecutiveBreaker,
  circuitBreaker,
  ExponentialBackoff,
  handleAll,
  retry,
  TimeoutStrategy,
  timeout,
  wrap,
} from 'cockatiel';
import ky from 'ky';
import { type Contestant, initOf, read } from './contestant.ts';

/** Two retries and 10 s for an attempt. */
const kyAlone: Contestant = {
  name: 'ky',
  make({ fetch, limit }) {
    const client = ky.create({ fetch, ...(limit !== undefined && { timeout: limit }) });
    return async (call) => {
      const response = client(call.url, initOf(call));
      return call.streamed ? read(await response, true) : JSON.stringify(await response.json());
    };
  },
};

/** Two retries, of every method. No circuit, as it has none by default. */
const ffetch: Contestant = {
  name: 'ffetch',
  make({ fetch, limit }) {
    const client = createFfetch({
      fetchHandler: fetch,
      retries: 2,
      ...(limit !== undefined && { timeout: limit }),
    });
    return async (call) => read(await client(call.url, initOf(call)), call.streamed);
  },
};

/** The combination of its README, with a time limit; a POST without a key is sent once, as a careful user has it. */
const cockatiel: Contestant = {
  name: 'cockatiel',
  make({ fetch, limit }) {
    const circuit = circuitBreaker(handleAll, { halfOpenAfter: 10_000, breaker: new ConsecutiveBreaker(5) });
    const timed = timeout(limit ?? 10_000, TimeoutStrategy.Aggressive);
    const once = wrap(circuit, timed);
    const retried = wrap(
      retry(handleAll, { maxAttempts: 3, backoff: new ExponentialBackoff() }),
      circuit,
      timed,
    );
    return (call) => {
      const policy = call.method === 'POST' && !call.headers['idempotency-key'] ? once : retried;
      return policy.execute(async ({ signal }) =>
        read(await fetch(call.url, { ...initOf(call), signal }), call.streamed),
      );
    };
  },
};

export const peers: readonly Contestant[] = [kyAlone, ffetch, cockatiel];
