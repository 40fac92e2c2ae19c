import { betweenTabs, breaker, createClient, outbox, staleCache } from 'holdfast';
import { tell } from './events.ts';
import { origin } from './origin.ts';

export const circuits = breaker({
  openFor: '2s', // long enough to be seen
  maxWait: '3s', // leaves time for the call itself
  probeTimeout: '2s', // as long as an attempt
  share: betweenTabs(), // what one tab finds out, the others know
});
export const queue = outbox({ attempts: 100, backoffLimit: '5s' });

export const copies = staleCache();

export const api = createClient({
  baseUrl: origin.url,
  timeout: { attempt: '2s', total: '5s' },
  retry: 2,
  breaker: circuits,
  staleCache: copies,
  outbox: queue,
  partition: 'public', // these orders are nobody's in particular
  onEvent: tell,
});
