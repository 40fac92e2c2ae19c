/** An application with the devtools, for the tests to drive. */
import { breaker, createClient, outbox, staleCache } from 'holdfast';
import { devtools, faults } from 'holdfast/devtools';
import { busyClient } from './busy.ts';

const net = faults();
const circuits = breaker({ openFor: '60s', maxWait: 0 });
const cache = staleCache();
const box = outbox({ backoffLimit: '1s', persist: false });

let user = 'ann';

const api = createClient({
  baseUrl: `${location.origin}/api/`,
  // With `?users`, the test signs users in.
  partition: location.search === '?users' ? () => user : 'public',
  timeout: '2s',
  retry: { limit: 1, backoffLimit: 50 },
  fetch: net.fetch,
  breaker: circuits,
  staleCache: cache,
  outbox: box,
});

const detach = devtools(api, {
  name: 'shop',
  breaker: circuits,
  outbox: box,
  staleCache: cache,
  faults: net,
});

/** Actions of the application, for tests. */
const app = {
  api,
  box,
  cache,
  net,
  circuits,
  detach,
  devtools,
  createClient,
  signIn(name: string) {
    user = name;
  },
  get: async (path: string, more: object = {}) => {
    try {
      const response = await api.get(path, { throwHttpErrors: false, ...more });
      await response.text();
      return response.status;
    } catch (error) {
      return String(error);
    }
  },
  order: (item: string, more: object = {}) =>
    api
      .post('orders', { json: { item }, outbox: { meta: { item }, ...more } })
      .then(({ status }) => status, String),
  busy: busyClient,
};

Object.assign(globalThis, { app });
