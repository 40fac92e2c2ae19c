import { DurableObject, env } from 'cloudflare:workers';
import { breaker, bulkhead, createFetch, fallback, staleCache } from 'holdfast';
import { betweenIsolates, coordinatorObject, outboxObject, workersKVStore } from 'holdfast/cloudflare';
import { userMessage } from 'holdfast/log';
import { toProblemResponse } from 'holdfast/problem';
import { type Context, Hono } from 'hono';
import { HTTPException } from 'hono/http-exception';

type App = { Bindings: Env };

/** A sentence for people and a status for machines, and nothing of what failed behind this Worker. */
const toProblem = (failure: unknown): Response =>
  toProblemResponse(failure, { extensions: { detail: userMessage(failure) } });

const circuits = breaker({ maxWait: '1s', share: betweenIsolates(env.COORDINATOR) });
const slots = bulkhead({ limit: 20 });

// At module scope: circuits and slots live as long as the isolate.
const upstream = createFetch({
  partition: 'public', // one cached response for all visitors: cache nothing personal
  timeout: { attempt: '2s', total: '5s' },
  breaker: circuits,
  bulkhead: slots,
  staleCache: staleCache({ store: workersKVStore(env.RESPONSES), maxStale: '1d' }),
  fallback: fallback((error, { response }) => toProblem(error ?? response)),
});

/** Tells the other isolates when a circuit opens or closes. */
export class Coordinator extends coordinatorObject(DurableObject) {}

/** Keeps writes on disk until the upstream has them. */
export class Orders extends outboxObject(DurableObject, () => ({ timeout: { attempt: '2s' } })) {}

const app = new Hono<App>();

/** The upstream's response as it is: its body streams through, its slot is released when the body ends. */
app.get('/orders/*', (c) =>
  upstream(at(c), {
    signal: c.req.raw.signal, // a client that goes away ends the call
    holdfast: { waitUntil: (work) => c.executionCtx.waitUntil(work) },
  }),
);

/** Accepted means kept: the order is sent once the upstream responds. The same id twice is one order. */
app.post('/orders', async (c) => {
  const id = c.req.header('x-order-id') ?? crypto.randomUUID();
  const write = new Request(at(c), {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: await c.req.text(),
  });
  await outbox(c).accept(write, { id });
  return c.json({ id }, 202, { location: `/accepted/${id}` });
});

/** The upstream's response to an accepted order. It waits until there is one. */
app.get('/accepted/:id', (c) => outbox(c).result(c.req.param('id')));

/** For monitoring: what this isolate knows of the upstream. */
app.get('/status', async (c) =>
  c.json({ circuits: circuits.states(), slots: slots.states(), outbox: await outbox(c).counts() }),
);

app.onError((error) => (error instanceof HTTPException ? error.getResponse() : toProblem(error)));

const at = (c: Context<App>): URL => {
  const { pathname, search } = new URL(c.req.url);
  return new URL(pathname + search, c.env.UPSTREAM);
};

/** One object holds the orders of all clients; with accounts, name one object per account. */
const outbox = (c: Context<App>) => c.env.ORDERS.getByName('all');

export default app;
