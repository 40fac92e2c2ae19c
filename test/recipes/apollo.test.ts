import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { gql, type TypedDocumentNode } from '@apollo/client';
import { buildSchema, graphql } from 'graphql';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { graphClient, kept } from '../../docs/recipes/apollo.ts';
import { type Backend, startBackend } from './origin.ts';

interface Order {
  readonly __typename?: 'Order';
  readonly id: string;
  readonly item: string;
  readonly waits?: boolean | null;
}

const ORDERS: TypedDocumentNode<{ orders: Order[] }, Record<string, never>> = gql`
  query Orders { orders { id item } }
`;
const ADD: TypedDocumentNode<{ add: Order }, { id: string; item: string }> = gql`
  mutation Add($id: ID!, $item: String!) { add(id: $id, item: $item) { id item waits } }
`;

const schema = buildSchema(`
  type Order { id: ID!, item: String!, waits: Boolean }
  type Query { orders: [Order!]!, stock: Int }
  type Mutation { add(id: ID!, item: String!): Order! }
`);

/** A GraphQL server of the older kind: 200 for errors, too. */
function graphServer() {
  const orders = new Map<string, Order>();
  let troubled = false;
  let portal = false;
  const rootValue = {
    orders() {
      if (troubled) throw new Error('the database is gone');
      return [...orders.values()];
    },
    stock() {
      throw new Error('nobody has counted');
    },
    add({ id, item }: Order) {
      if (item === '') throw new Error('an order needs an item');
      orders.set(id, { id, item });
      return { id, item };
    },
  };
  return {
    trouble(is: boolean) {
      troubled = is;
    },
    portal(is: boolean) {
      portal = is;
    },
    async answer(request: IncomingMessage, response: ServerResponse) {
      if (portal) return response.setHeader('content-type', 'text/html').end('<h1>Sign in</h1>');
      const { searchParams } = new URL(request.url ?? '', 'http://server');
      const asked =
        request.method === 'GET' ? Object.fromEntries(searchParams) : JSON.parse(await text(request));
      const { query: source, variables } = asked;
      const variableValues = typeof variables === 'string' ? JSON.parse(variables) : variables;
      const result = await graphql({ schema, source, variableValues, rootValue });
      response.setHeader('content-type', 'application/json').end(JSON.stringify(result));
    },
  };
}

let graph: ReturnType<typeof graphServer>;
let server: Backend;
let apollo: ReturnType<typeof graphClient>;

beforeEach(async () => {
  graph = graphServer();
  server = await startBackend(graph.answer);
  apollo = graphClient(server.url, () => 'ann');
  await add({ id: 'first', item: 'tea' });
});
afterEach(async () => {
  await apollo.box.clear();
  await apollo.close();
  await server.close();
});

/** As after a reload: Apollo's own cache is empty. */
const orders = async () =>
  (await apollo.client.query({ query: ORDERS, fetchPolicy: 'no-cache' })).data?.orders.map(({ id }) => id);

const add = async (variables: { id: string; item: string }) => {
  const context = kept(variables.id, { add: { __typename: 'Order', ...variables, waits: true } });
  return (await apollo.client.mutate({ mutation: ADD, variables, context })).data?.add;
};

test('a query has the last good response when the server is gone', async () => {
  expect(await orders()).toEqual(['first']);
  await server.vanish();
  expect(await orders()).toEqual(['first']);
});

test('a failure that the server calls a success is an error, and is not stored', async () => {
  await orders();
  graph.trouble(true);
  await expect(orders()).rejects.toThrow('the database is gone');
  await server.vanish();
  expect(await orders()).toEqual(['first']);
});

test('errors beside data are passed on, and not kept', async () => {
  const some = () =>
    apollo.client.query({
      query: gql`query Some { orders { id } stock }`,
      fetchPolicy: 'no-cache',
      errorPolicy: 'all',
    });
  const { data, error } = await some();
  expect(data).toMatchObject({ orders: [{ id: 'first' }], stock: null });
  expect(error?.message).toBe('nobody has counted');
  await server.vanish();
  expect((await some()).data).toBeUndefined();
});

test('the page of a captive portal is no response of the API: a query gets its cached response, and a mutation waits', async () => {
  await orders();
  graph.portal(true);
  expect(await orders()).toEqual(['first']);
  expect(await add({ id: 'second', item: 'milk' })).toMatchObject({ waits: true });
  graph.portal(false);
  // First the circuit has to close.
  await expect.poll(async () => (await apollo.box.flush()).left, { timeout: 60_000 }).toBe(0);
  expect(await orders()).toEqual(['first', 'second']);
});

test('a query is repeated by one of the two libraries only', async () => {
  server.fail(503);
  await expect(orders()).rejects.toThrow();
  expect(await server.requests()).toEqual(['POST /', 'GET /', 'GET /', 'GET /']);
});

test('a mutation waits while the server is gone, gets the origin’s response, and takes effect once', async () => {
  await server.vanish();
  expect(await add({ id: 'second', item: 'milk' })).toMatchObject({ id: 'second', waits: true });
  await server.heal();
  await apollo.box.flush();
  const { data } = await (await apollo.box.result('second')).json();
  expect(data.add).toMatchObject({ id: 'second', item: 'milk', waits: null });
  expect(await server.requests()).toEqual(['POST /']);
});

test('what is on the screen is read again when a write has finished', async () => {
  const seen: (string[] | undefined)[] = [];
  const watched = apollo.client.watchQuery({ query: ORDERS });
  const subscription = watched.subscribe(({ data }) => {
    seen.push(data?.orders?.map((order) => order?.id ?? ''));
  });
  await expect.poll(() => seen.at(-1)).toEqual(['first']);
  await server.vanish();
  await add({ id: 'second', item: 'milk' });
  await server.heal();
  await apollo.box.flush();
  await expect.poll(() => seen.at(-1)).toEqual(['first', 'second']);
  subscription.unsubscribe();
});

test('what the server refuses is Apollo’s own error, and a dead letter', async () => {
  await expect(add({ id: 'third', item: '' })).rejects.toThrow('an order needs an item');
  expect(await apollo.box.counts()).toMatchObject({ waiting: 0, deadLetters: 1 });
});
