import { initTRPC, TRPCError } from '@trpc/server';

/** Stands for the router of your server. */

export interface Order {
  readonly id: string;
  readonly item: string;
}

const t = initTRPC.create();

export type AppRouter = ReturnType<typeof appRouter>;

export function appRouter() {
  const orders = new Map<string, Order>();
  return t.router({
    list: t.procedure.query(() => [...orders.values()]),
    // Ids are the client's: what is sent twice takes effect once.
    add: t.procedure.input(order).mutation(({ input }) => {
      orders.set(input.id, input);
      return input;
    }),
  });
}

function order(input: unknown): Order {
  const { id, item } = input as Order;
  if (id && item) return { id, item };
  throw new TRPCError({ code: 'UNPROCESSABLE_CONTENT', message: 'An order needs an item' });
}
