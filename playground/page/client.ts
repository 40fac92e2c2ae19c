import { betweenTabs, breaker, createClient, outbox, staleCache } from 'holdfast';
import { tell } from './events.ts';
import { origin } from './origin.ts';

// Impatient, so that nobody has to wait for what there is to see: the
// defaults are made for real networks, and for outages of hours.
export const circuits = breaker({
  openFor: '5s',
  maxOpenFor: '10s',
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
