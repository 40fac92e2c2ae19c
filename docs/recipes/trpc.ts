import { createTRPCClient, httpLink, TRPCClientError } from '@trpc/client';
import { createFetch, isQueued, outbox, QueuedError, staleCache } from 'holdfast';
import type { AppRouter, Order } from './trpc.router.ts';

/** @param user The signed-in user. */
export function ordersClient(url: string, user: () => string) {
  const box = outbox();
  const fetch = createFetch({ partition: user, staleCache: staleCache(), outbox: box });

  const trpc = createTRPCClient<AppRouter>({
    links: [
      // No `httpBatchLink`: a cached response and a write in the outbox are each of one call.
      httpLink({
        url,
        headers: ({ op }) =>
          typeof op.context.keepAs === 'string' ? { 'Idempotency-Key': op.context.keepAs } : {},
        async fetch(input, init) {
          const { signal, ...rest } = init ?? {};
          const id = new Headers(rest.headers).get('Idempotency-Key');
          const holdfast = { outbox: id !== null && { id } };
          const answer = await fetch(input, { ...rest, signal: signal ?? null, holdfast });
          if (id === null || !isQueued(answer)) return answer;
          // tRPC would take it for a response that it cannot read.
          await answer.body?.cancel();
          throw new QueuedError(id);
        },
      }),
    ],
  });

  return {
    box,
    trpc,
    close: fetch.close,

    async save(order: Order) {
      try {
        await trpc.add.mutate(order, { context: { keepAs: order.id } });
        return 'saved';
      } catch (error) {
        if (error instanceof TRPCClientError && error.cause instanceof QueuedError) return 'waiting';
        throw error;
      }
    },
  };
}
