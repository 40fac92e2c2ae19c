import { type Accessor, from } from 'solid-js';
import { NO_ORDERS, type Orders, type Shop, type Unsent, watchOrders, watchUnsent } from './orders.ts';

/** Reads until its owner, which is the component, is disposed. */
export const createOrders = (shop: Shop): Accessor<Orders> =>
  from<Orders>((set) => watchOrders(shop, (orders) => set(() => orders)), NO_ORDERS);

export const createUnsent = (shop: Shop): Accessor<readonly Unsent[]> =>
  from<readonly Unsent[]>((set) => watchUnsent(shop, (unsent) => set(() => unsent)), []);
