import { createFetch, isQueued, outbox, sourceOf, staleCache } from 'holdfast';
import createClient from 'openapi-fetch';
import type { paths } from './openapi-fetch.paths.ts';

/** @param user The signed-in user. */
export function ordersApi(baseUrl: string, user: () => string) {
  const box = outbox();
  const fetch = createFetch({ partition: user, staleCache: staleCache(), outbox: box });
  const api = createClient<paths>({ baseUrl, fetch });

  return {
    box,
    close: fetch.close,

    async list(signal?: AbortSignal) {
      const { data, response } = await api.GET('/orders', { ...(signal && { signal }) });
      if (!data) throw new Error(`no orders: ${response.status}`);
      return { orders: data, isOld: sourceOf(response) === 'stale' };
    },

    async save({ id, item }: { id: string; item: string }) {
      const { error, response } = await api.PUT('/orders/{id}', {
        params: { path: { id } },
        body: { item },
        // What is ours goes with the fetch of the call: openapi-fetch hands on no option that it does not know.
        fetch: (request) => fetch(request, { holdfast: { outbox: { id } } }),
      });
      // First of all: 202 is a success to openapi-fetch, and `data` would pass for an order.
      if (isQueued(response)) return 'waiting';
      if (error) throw new Error(error.title);
      return 'saved';
    },
  };
}
