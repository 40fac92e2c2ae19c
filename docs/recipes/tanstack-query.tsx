import { QueryClient, QueryClientProvider, useMutation, useQuery } from '@tanstack/react-query';
import { createClient, outbox, sourceOf, staleCache } from 'holdfast';
import { userMessage } from 'holdfast/log';
import { createContext, type ReactNode, use, useEffect } from 'react';

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
  const queries = new QueryClient({
    defaultOptions: {
      queries: {
        networkMode: 'always', // offline, holdfast still has the cached response
        retry: false, // holdfast retries
        refetchOnReconnect: true, // 'always' would switch it off
      },
      mutations: {
        networkMode: 'always', // offline, the entry waits in the outbox
        retry: false,
        gcTime: 0, // queries.clear() would leave finished mutations, with their data, for 5 minutes
      },
    },
  });
  return { api, box, queries };
}

/** Events after which the list of unsent orders differs. */
const CHANGES: readonly string[] = ['queued', 'replayed', 'finished'];

const ShopContext = createContext<Shop | undefined>(undefined);

export function ShopProvider({ shop, children }: { shop: Shop; children: ReactNode }) {
  const { box, queries } = shop;
  useEffect(
    () =>
      // Includes the entries of other tabs, and of this page before a reload.
      box.subscribe(async ({ type }) => {
        if (type === 'finished') await queries.invalidateQueries({ queryKey: ['orders'] });
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
  if (!shop) throw new Error('useShop: expected a ShopProvider above this component');
  return shop;
}

/** The orders of the origin, or of the cached response if the origin does not respond. */
export function useOrders() {
  const { api } = useShop();
  return useQuery({
    queryKey: ['orders'],
    async queryFn({ signal }) {
      const response = await api.get<Order[]>('orders', { signal });
      return { orders: await response.json(), isOld: sourceOf(response) === 'stale' };
    },
    // To TanStack Query, a cached response is as new as any other.
    staleTime: ({ state }) => (state.data?.isOld ? 0 : 30_000),
    // A first read that fails has no cached response: without the interval, the error would stay on the screen.
    refetchInterval: ({ state }) => (state.status === 'error' || state.data?.isOld ? 5_000 : false),
  });
}

/** Orders that the origin does not have yet, or has refused; also after a reload. */
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
    // A new order is one write: a double click, or an effect that StrictMode runs twice, makes one entry. A later change needs
    // an id of its own.
    mutationFn: (order: Order) =>
      api
        .put<Order & { waits?: true }>(`orders/${order.id}`, {
          json: { item: order.item },
          outbox: { id: order.id, meta: order, optimisticResult: { ...order, waits: true } },
        })
        .json(),
  });
}

/** Tells the user what failed, in a sentence without technical details. */
export const Problem = ({ error }: { error: Error | null }) =>
  error && <p role="alert">{userMessage(error)}</p>;
