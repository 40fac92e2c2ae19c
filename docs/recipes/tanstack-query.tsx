import { QueryClient, QueryClientProvider, useMutation, useQuery } from '@tanstack/react-query';
import { createClient, outbox, sourceOf, staleCache } from 'holdfast';
import { createContext, type ReactNode, use, useEffect } from 'react';

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
  const queries = new QueryClient({
    defaultOptions: {
      queries: {
        networkMode: 'always', // offline there is still the copy to be had
        retry: false, // one of the two repeats
        refetchOnReconnect: true, // 'always' would switch it off
      },
      mutations: { networkMode: 'always', retry: false }, // offline it is the outbox that waits
    },
  });
  return { api, box, queries };
}

/** News after which something else is unsent. */
const CHANGES: readonly string[] = ['queued', 'replayed', 'settled'];

const ShopContext = createContext<Shop | undefined>(undefined);

export function ShopProvider({ shop, children }: { shop: Shop; children: ReactNode }) {
  const { box, queries } = shop;
  useEffect(
    () =>
      // Also of what another tab, or this page before a reload, has given.
      box.subscribe(async ({ type }) => {
        if (type === 'settled') await queries.invalidateQueries({ queryKey: ['orders'] });
        if (CHANGES.includes(type)) await queries.invalidateQueries({ queryKey: ['unsent'] });
      }),
    [box, queries],
  );
  return (
    <ShopContext value={shop}>
      <QueryClientProvider client={queries}>{children}</QueryClientProvider>
    </ShopContext>
  );
}

function useShop(): Shop {
  const shop = use(ShopContext);
  if (!shop) throw new Error('there is no ShopProvider around it');
  return shop;
}

/** What the origin has, or had when it could last be asked. */
export function useOrders() {
  const { api } = useShop();
  return useQuery({
    queryKey: ['orders'],
    async queryFn({ signal }) {
      const response = await api.get<Order[]>('orders', { signal });
      return { orders: await response.json(), isOld: sourceOf(response) === 'stale' };
    },
    // To TanStack Query a copy is as new as any other answer.
    staleTime: ({ state }) => (state.data?.isOld ? 0 : 30_000),
    refetchInterval: ({ state }) => (state.data?.isOld ? 5_000 : false),
  });
}

/** What the user has done and the origin does not know yet, or has refused; also after a reload. */
export function useUnsent() {
  const { box } = useShop();
  return useQuery({
    queryKey: ['unsent'],
    async queryFn() {
      const entries = [
        ...(await box.entries({ state: 'waiting' })),
        ...(await box.entries({ state: 'dead-letter' })),
      ];
      return entries.map(({ state, reason, meta }) => ({ ...(meta as Order), state, reason }));
    },
    staleTime: Number.POSITIVE_INFINITY,
  });
}

export function useSaveOrder() {
  const { api } = useShop();
  return useMutation({
    // The id is that of the deed: clicked twice, or given by an effect that StrictMode runs twice, it is one order.
    mutationFn: (order: Order) =>
      api
        .put<Order & { waits?: true }>(`orders/${order.id}`, {
          json: { item: order.item },
          outbox: { id: order.id, meta: order, optimisticResult: { ...order, waits: true } },
        })
        .json(),
  });
}
