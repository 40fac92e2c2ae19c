import { betweenTabs, breaker, createFetch, outbox, staleCache } from 'holdfast';
import { deviceKey, encryptWith } from 'holdfast/encryption';
import { sharedSession } from 'holdfast/service-worker';

// The page and its service worker both import this file: the same names make it one queue, one cache, one session.

/** The API may be of another origin. */
export const ORDERS = `${import.meta.env.VITE_API ?? ''}/orders`;

/** Kept in IndexedDB, so that a worker that wakes with all tabs closed sends only what belongs to this user. */
export const session = sharedSession();

// A key that stays on this device and cannot be exported.
const encryption = encryptWith(deviceKey());

export const box = outbox<{ item: string }>({ backgroundSync: true, encryption });

export const fetch = createFetch({
  name: 'orders',
  partition: session.partition,
  staleCache: staleCache({ encryption, respondAfter: '2s' }),
  outbox: box,
  breaker: breaker({ share: betweenTabs() }),
});
