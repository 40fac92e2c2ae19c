import { ApolloClient, HttpLink, InMemoryCache } from '@apollo/client';
import { createFetch, type FetchOptions, isQueued, outbox, staleCache } from 'holdfast';

/** @param user The signed-in user. */
export function graphClient(uri: string, user: () => string) {
  const box = outbox();
  const fetch = createFetch({
    partition: user,
    staleCache: staleCache(),
    outbox: box,
    fetch: failuresAsSuch,
  });

  const client = new ApolloClient({
    cache: new InMemoryCache(),
    link: new HttpLink({
      uri,
      // A POST is neither repeated nor cached.
      useGETForQueries: true,
      async fetch(input, init?: RequestInit & { holdfast?: FetchOptions }) {
        const answer = await fetch(input, init);
        if (!isQueued(answer)) return answer;
        const { outbox } = init?.holdfast ?? {};
        return Response.json({ data: typeof outbox === 'object' ? outbox.optimisticResult : null });
      },
    }),
  });
  const unsubscribe = box.subscribe((news) => {
    if (news.type === 'finished') void client.refetchQueries({ include: 'active' });
  });

  return {
    box,
    client,
    async close() {
      unsubscribe();
      client.stop();
      await fetch.close();
    },
  };
}

/** For the `context` of a mutation that may wait: its id, and the data that it gives meanwhile. */
export const kept = (id: string, answer: object) => ({
  fetchOptions: { holdfast: { outbox: { id, optimisticResult: answer } } },
});

/** GraphQL servers say 200 to what has failed: it would be cached as a good response, and a write would count as delivered. */
async function failuresAsSuch(request: Request, init?: RequestInit): Promise<Response> {
  const response = await globalThis.fetch(request, init);
  if (response.status !== 200) return response;
  const body = await response.text();
  const { data, errors } = parsed(body);
  if (!errors) return new Response(body, response);
  return new Response(body, {
    status: data ? 200 : 422,
    // With this type Apollo reads the errors whatever the status.
    headers: { 'content-type': 'application/graphql-response+json', 'cache-control': 'no-store' },
  });
}

/** A response that is not GraphQL, such as that of a captive portal, counts as a network failure. */
function parsed(body: string): { data?: unknown; errors?: unknown } {
  try {
    return JSON.parse(body);
  } catch {
    throw new DOMException('this is not from the GraphQL server', 'NetworkError');
  }
}
