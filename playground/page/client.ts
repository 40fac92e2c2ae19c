import { betweenTabs, breaker, createClient, outbox, staleCache } from 'holdfast';
import { devtools, faults } from 'holdfast/devtools';
import { server } from './server.ts';

const circuits = breaker({
  openFor: '2s', // long enough to be seen
  maxOpenFor: '5s', // you do not want to wait longer after "Heal"
  maxWait: '3s', // leaves time for the call itself
  probeTimeout: '2s', // as long as an attempt
  share: betweenTabs(), // each tab knows the circuits of the others
});
export const queue = outbox({ attempts: 100, backoffLimit: '5s' });
const cache = staleCache();
const net = faults();

export const parts = { breaker: circuits, staleCache: cache, outbox: queue };

export const api = createClient({
  ...parts,
  baseUrl: server.url,
  partition: 'public', // the same orders for every visitor
  timeout: { attempt: '2s', total: '5s' },
  retry: 2,
  fetch: net.fetch,
});

devtools(api, { ...parts, name: 'shop', faults: net });
