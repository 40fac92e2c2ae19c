import { createClient, type Outbox, outbox, sourceOf, staleCache } from 'holdfast';
import { createContext, type ReactNode, use, useEffect } from 'react';
import useSWR, { SWRConfig, useSWRConfig } from 'swr';
import useSWRMutation from 'swr/mutation';

export interface Order {
  readonly id: string;
  readonly item: string;
}

export type Shop = ReturnType<typeof openShop>;

/** Call it once per page, outside all components. @param user The id of the signed-in user. */
export function openShop(baseUrl: string, user: () => string) {
  const box = outbox();
  const api = createClient({
    baseUrl,
    partition: user,
    staleCache: staleCache({ respondAfter: '2s' }), // with a cached response, no spinner lasts longer
    outbox: box,
  });
  return { api, box };
}

/** Events after which the list of unsent orders differs. */
const CHANGES: readonly string[] = ['queued', 'replayed', 'finished'];

const ShopContext = createContext<Shop | undefined>(undefined);

export function ShopProvider({ shop, children }: { shop: Shop; children: ReactNode }) {
  return (
    <ShopContext value={shop}>
      {/* holdfast retries. */}
      <SWRConfig value={{ shouldRetryOnError: false }}>
        <ReadAgain box={shop.box} />
        {children}
      </SWRConfig>
    </ShopContext>
  );
}

/** Includes the entries of other tabs, and of this page before a reload. */
function ReadAgain({ box }: { box: Outbox }) {
  const { mutate } = useSWRConfig();
  useEffect(
    () =>
      box.subscribe(async ({ type }) => {
        if (type === 'finished') await mutate('orders');
        if (CHANGES.includes(type)) await mutate('unsent');
      }),
    [box, mutate],
  );
  return null;
}

function useShop(): Shop {
  const shop = use(ShopContext);
  if (!shop) throw new Error('useShop: expected a ShopProvider above this component');
  return shop;
}

/** The orders of the origin, or of the cached response if the origin does not respond. */
export function useOrders() {
  const { api } = useShop();
  return useSWR(
    'orders',
    async (path) => {
      const response = await api.get<Order[]>(path);
      return { orders: await response.json(), isOld: sourceOf(response) === 'stale' };
    },
    // To SWR, a cached response is as new as any other.
    { refreshInterval: (data) => (data?.isOld ? 5_000 : 0) },
  );
}

/** Orders that the origin does not have yet, or has refused; also after a reload. */
export function useUnsent() {
  const { box } = useShop();
  return useSWR('unsent', async () => {
    const entries = [
      ...(await box.entries({ state: 'waiting' })),
      ...(await box.entries({ state: 'dead-letter' })),
    ];
    return entries.map(({ state, reason, meta }) => ({ ...(meta as Order), state, reason }));
  });
}

export function useSaveOrder() {
  const { api } = useShop();
  return useSWRMutation(
    'orders',
    (path, { arg: order }: { arg: Order }) =>
      api
        .put<Order & { waits?: true }>(`${path}/${order.id}`, {
          json: { item: order.item },
          outbox: { id: order.id, meta: order, optimisticResult: { ...order, waits: true } },
        })
        .json(),
    // A waiting order is not at the origin yet. SWR ignores reads while `trigger` is in flight.
    { revalidate: (saved) => !saved.waits },
  );
}
