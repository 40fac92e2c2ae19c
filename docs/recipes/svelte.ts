import { type Readable, readable } from 'svelte/store';
import { NO_ORDERS, type Orders, type Shop, type Unsent, watchOrders, watchUnsent } from './orders.ts';

/** Reads from its first subscriber to its last. */
export const ordersOf = (shop: Shop): Readable<Orders> =>
  readable(NO_ORDERS, (set) => watchOrders(shop, set));

export const unsentOf = (shop: Shop): Readable<readonly Unsent[]> =>
  readable<readonly Unsent[]>([], (set) => watchUnsent(shop, set));
