import { createClient, createFetch, memoryStore, staleCache } from '../../../src/index.ts';
import { type Contestant, initOf, read, type Setting } from './contestant.ts';

/** The defaults, but where the row says otherwise. */
const optionsOf = ({ fetch, limit, cached }: Setting) => ({
  fetch,
  ...(limit !== undefined && { timeout: { attempt: limit, idle: limit } }),
  staleCache: cached ? staleCache({ store: memoryStore() }) : undefined,
  partition: 'flaky',
});

export const viaFetch: Contestant = {
  name: 'createFetch',
  make(setting) {
    const fetch = createFetch(optionsOf(setting));
    return async (call) => read(await fetch(call.url, initOf(call)), call.streamed);
  },
};

export const viaClient: Contestant = {
  name: 'createClient',
  make(setting) {
    const client = createClient(optionsOf(setting));
    return async (call) => {
      const response = client(call.url, initOf(call));
      return call.streamed ? read(await response, true) : JSON.stringify(await response.json());
    };
  },
};
