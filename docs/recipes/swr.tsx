import { createClient, type Outbox, outbox, sourceOf, staleCache } from 'holdfast';
import { createContext, type ReactNode, use, useEffect } from 'react';
import useSWR, { SWRConfig, useSWRConfig } from 'swr';
import useSWRMutation from 'swr/mutation';

export interface Order {
  readonly id: string;
  readonly item: string;
}

export type Shop = ReturnType<typeof openShop>;

/** Once for the page, outside all components. @param user Whose orders these are. */
export function openShop(baseUrl: string, user: () => string) {
  const box = outbox();
  const api = createClient({
    baseUrl,
    partition: user,
    staleCache: staleCache({ respondAfter: '2s' }), // nobody looks at a spinner for longer where there is a copy
    outbox: box,
  });
  return { api, box };
}

/** News after which something else is unsent. */
const CHANGES: readonly string[] = ['queued', 'replayed', 'settled'];

const ShopContext = createContext<Shop | undefined>(undefined);

export function ShopProvider({ shop, children }: { shop: Shop; children: ReactNode }) {
  return (
    <ShopContext value={shop}>
      {/* One of the two repeats. */}
      <SWRConfig value={{ shouldRetryOnError: false }}>
        <ReadAgain box={shop.box} />
        {children}
      </SWRConfig>
    </ShopContext>
  );
}

/** Also after what another tab, or this page before a reload, has given. */
function ReadAgain({ box }: { box: Outbox }) {
  const { mutate } = useSWRConfig();
  useEffect(
    () =>
      box.subscribe(async ({ type }) => {
        if (type === 'settled') await mutate('orders');
        if (CHANGES.includes(type)) await mutate('unsent');
      }),
    [box, mutate],
  );
  return null;
}

function useShop(): Shop {
  const shop = use(ShopContext);
  if (!shop) throw new Error('there is no ShopProvider around it');
  return shop;
}

/** What the origin has, or had when it could last be asked. */
export function useOrders() {
  const { api } = useShop();
  return useSWR(
    'orders',
    async (path) => {
      const response = await api.get<Order[]>(path);
      return { orders: await response.json(), isOld: sourceOf(response) === 'stale' };
    },
    // To SWR a copy is as good as any other answer.
    { refreshInterval: (data) => (data?.isOld ? 5_000 : 0) },
  );
}

/** What the user has done and the origin does not know yet, or has refused; also after a reload. */
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
    // Before it is settled the origin knows nothing of it. What is read while `trigger` is under way SWR passes over.
    { revalidate: (saved) => !saved.waits },
  );
}
