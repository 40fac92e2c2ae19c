import { createClient, isQueued, outbox, sourceOf, staleCache } from 'holdfast';
import { userMessage } from 'holdfast/log';

export interface Order {
  readonly id: string;
  readonly item: string;
}

export interface Orders {
  readonly list: readonly Order[];
  /** The origin does not respond: these are the orders of the cached response. */
  readonly isOld: boolean;
  /** The last read failed: a sentence for the user. */
  readonly problem?: string;
}

/** An order that the origin does not have yet, or has rejected. */
export interface Unsent extends Order {
  readonly state: 'waiting' | 'dead-letter';
}

export const NO_ORDERS: Orders = { list: [], isOld: false };

export type Shop = ReturnType<typeof openShop>;

/** Call it once per page. @param user The id of the signed-in user. */
export function openShop(baseUrl: string, user: () => string) {
  const box = outbox<Order>();
  const api = createClient({
    baseUrl,
    partition: user,
    staleCache: staleCache({ respondAfter: '2s' }), // with a cached response, no spinner lasts longer
    outbox: box,
  });
  return { api, box };
}

/** Reads the orders now, and whenever there may be newer ones. @returns ends it. */
export function watchOrders({ api, box }: Shop, show: (orders: Orders) => void): () => void {
  let orders = NO_ORDERS;
  let call = new AbortController();
  let timer: ReturnType<typeof setTimeout> | undefined;
  const end = (): void => {
    call.abort();
    clearTimeout(timer);
  };

  async function read(cache: RequestCache): Promise<void> {
    end(); // of two reads, the later one counts
    call = new AbortController();
    const { signal } = call;
    try {
      const response = await api.get<Order[]>('orders', { cache, signal });
      // After `cache-updated`, the cached response is the newest.
      const isOld = cache === 'default' && sourceOf(response) === 'stale';
      orders = { list: await response.json(), isOld };
    } catch (error) {
      orders = { ...orders, problem: userMessage(error) };
    }
    if (signal.aborted) return;
    show(orders);
    if (orders.isOld || orders.problem) timer = setTimeout(refresh, 5_000);
  }

  const refresh = (): void => void read('default');
  const ends = [
    end,
    // A write was delivered: by this tab, by another one, or after a reload.
    box.subscribe(({ type }) => type === 'finished' && refresh()),
    // A response came after the cached one was served, or another tab has a newer one.
    api.subscribe(({ type }) => type === 'cache-updated' && void read('force-cache')),
  ];
  addEventListener('online', refresh);
  refresh();
  return () => {
    removeEventListener('online', refresh);
    for (const end of ends) end();
  };
}

/** Events after which the list of unsent orders differs. */
const CHANGES: readonly string[] = ['queued', 'replayed', 'finished'];

/** Lists the orders that are not delivered, also those of before a reload. @returns ends it. */
export function watchUnsent({ box }: Shop, show: (unsent: readonly Unsent[]) => void): () => void {
  let latest = 0;
  async function list(): Promise<void> {
    const mine = ++latest;
    const waiting = await box.entries({ state: 'waiting' });
    const rejected = await box.entries({ state: 'dead-letter' });
    if (mine !== latest) return;
    show([...waiting, ...rejected].map(({ id, meta, state }) => ({ id, item: meta?.item ?? '', state })));
  }
  const unsubscribe = box.subscribe(({ type }) => CHANGES.includes(type) && void list());
  void list();
  return () => {
    latest++;
    unsubscribe();
  };
}

/**
 * A new order is one write, and its id is that of the write: a double click makes one entry. A later change needs an id of
 * its own.
 *
 * @throws {HTTPError} if the origin rejects the order.
 */
export async function saveOrder({ api }: Shop, order: Order): Promise<'saved' | 'waits'> {
  const response = await api.put(`orders/${order.id}`, {
    json: { item: order.item },
    outbox: { id: order.id, meta: order },
  });
  return isQueued(response) ? 'waits' : 'saved';
}
