import { createFetch, outbox, staleCache } from 'holdfast';
import { serviceWorker, sharedSession } from 'holdfast/service-worker';

const session = sharedSession();
const queue = outbox({ backgroundSync: true });
const fetch = createFetch({
  partition: session.partition,
  outbox: queue,
  staleCache: staleCache({ respondAfter: '2s' }),
});

serviceWorker({
  fetch,
  outbox: queue,
  ready: session.ready,
  routes: [
    { match: '/orders', staleCache: {} }, // reads that have a cached response to fall back on
    { match: '/notes', outbox: true }, // writes of which the app understands a 202
  ],
});
