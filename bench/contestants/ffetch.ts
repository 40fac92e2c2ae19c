import { createClient } from '@fetchkit/ffetch';
import { type Contestant, HOUR, reading, type Transport } from './contestant.ts';

const guarded = (fetchHandler: Transport, threshold: number) =>
  createClient({
    fetchHandler,
    timeout: 10_000,
    retries: 2,
    retryDelay: 0,
    circuit: { threshold, reset: HOUR },
  });

export const ffetch: Contestant = {
  name: 'ffetch',
  call: (transport) => reading(guarded(transport, Infinity)),
  repeating: (transport) => reading(guarded(transport, Infinity)),
  breaking: (transport) => reading(guarded(transport, 5)),
};
