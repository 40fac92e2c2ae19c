import { QueryClient, useMutation, useQuery } from '@tanstack/react-query';
import { useEffect } from 'react';
import { box, loadOrders, saveOrder } from './api.ts';

export const queries = new QueryClient({
  defaultOptions: {
    // holdfast repeats, and works offline: TanStack Query leaves both to it.
    queries: { networkMode: 'always', retry: false, refetchOnReconnect: true },
    // `gcTime`: `queries.clear()` leaves finished mutations, with what the user wrote, to their timers.
    mutations: { networkMode: 'always', retry: false, gcTime: 0 },
  },
});

export const useOrders = () =>
  useQuery({
    queryKey: ['orders'],
    queryFn: ({ signal }) => loadOrders(signal),
    // Until the origin responds, ask again.
    refetchInterval: ({ state }) => (state.status === 'error' || state.data?.isOld ? 5_000 : false),
  });

/** Orders that the origin does not have yet, or has refused. */
export const useUnsent = () =>
  useQuery({
    queryKey: ['unsent'],
    queryFn: async () => [
      ...(await box.entries({ state: 'waiting' })),
      ...(await box.entries({ state: 'dead-letter' })),
    ],
  });

export const useSaveOrder = () => useMutation({ mutationFn: saveOrder });

export const useDiscardOrder = () => useMutation({ mutationFn: (id: string) => box.remove(id) });

/** Keeps both lists up to date: the outbox also reports what other tabs do. */
export const useOutboxEvents = () =>
  useEffect(
    () =>
      box.subscribe(({ type }) => {
        queries.invalidateQueries({ queryKey: ['unsent'] });
        if (type === 'finished') queries.invalidateQueries({ queryKey: ['orders'] });
      }),
    [],
  );
