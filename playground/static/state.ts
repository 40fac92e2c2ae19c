import { createStore, get, update as updateKey } from 'idb-keyval';

export interface Rule {
  readonly match: { readonly method?: string };
  readonly behaviour: { readonly hang?: boolean; readonly status?: number; readonly unknown?: boolean };
}

interface Order {
  readonly id: string;
  readonly item: string;
  readonly quantity: number;
  readonly placedAt: string;
}

/** A write, as the server received it. */
interface Entry {
  readonly key: string | null;
  readonly seen: number;
  readonly applied: number;
  /** The order that this key placed: sent again, it gets the same response. */
  readonly order?: Order;
}

export interface State {
  readonly rule?: Rule | undefined;
  readonly hasVanished: boolean;
  readonly orders: readonly Order[];
  readonly ledger: readonly Entry[];
}

const EMPTY: State = { hasVanished: false, orders: [], ledger: [] };

/** In IndexedDB: browsers end a service worker whenever it is idle. */
const store = createStore('harbour-server', 'state');

export const read = async (): Promise<State> => (await get<State>('state', store)) ?? EMPTY;

/** In one transaction, so that two requests at once lose nothing. */
export const update = (change: (now: State) => State): Promise<void> =>
  updateKey<State>('state', (now = EMPTY) => change(now), store);

/**
 * Enters a write in the ledger, and places its order once per key.
 *
 * @param wish Absent: the order is not valid.
 */
export async function applyOrder(
  key: string | null,
  wish: Pick<Order, 'item' | 'quantity'> | undefined,
): Promise<Order | undefined> {
  let placed: Order | undefined;
  await update((now) => {
    const known = now.ledger.find((entry) => key !== null && entry.key === key);
    const { seen, applied, order } = known ?? { seen: 0, applied: 0 };
    placed = order ?? (wish && newOrder(now, wish));
    const entry: Entry = {
      key,
      seen: seen + 1,
      applied: applied + (placed && !order ? 1 : 0),
      ...(placed && { order: placed }),
    };
    return {
      ...now,
      orders: placed && !order ? [...now.orders, placed] : now.orders,
      ledger: known ? now.ledger.map((each) => (each === known ? entry : each)) : [...now.ledger, entry],
    };
  });
  return placed;
}

const newOrder = ({ orders }: State, wish: Pick<Order, 'item' | 'quantity'>): Order => ({
  id: `order-${orders.length + 1}`,
  ...wish,
  placedAt: new Date().toISOString(),
});
