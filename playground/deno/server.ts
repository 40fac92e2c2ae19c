/** An API in front of an upstream that flaps: reads have a copy, writes are kept until they are delivered. */
import { createFetch, outbox, sourceOf, staleCache } from 'holdfast';
import { denoKvStore } from 'holdfast/deno';
import { toProblemResponse } from 'holdfast/problem';

const [upstream = 'http://127.0.0.1:5190', port = '8788', database = 'orders.db'] = Deno.args;

const kv = await Deno.openKv(database);

/** Other processes on this database may send the same queue: for each lane there is one sender at a time. */
const orders = outbox({ store: denoKvStore(kv, { name: 'orders' }), pollInterval: '5s' });

const fetch = createFetch({
  name: 'orders',
  partition: 'public',
  timeout: { attempt: '1s', total: '3s' },
  staleCache: staleCache({ store: denoKvStore(kv, { name: 'responses' }) }),
  outbox: orders,
});

// Where a process is there only as long as somebody asks it for something, this is who asks.
const ending = new AbortController();
Deno.cron?.('deliver orders', '* * * * *', { signal: ending.signal }, async () => {
  await orders.flush({ due: true });
});

const server = Deno.serve(
  {
    hostname: '127.0.0.1',
    port: Number(port),
    onListen: (at) => console.log(`http://127.0.0.1:${at.port}/orders`),
  },
  (request) => answer(request).catch(toProblemResponse),
);

for (const signal of ['SIGINT', 'SIGTERM'] as const) Deno.addSignalListener(signal, () => void end());

async function answer(request: Request): Promise<Response> {
  const { pathname, searchParams } = new URL(request.url);
  const [, resource, id] = pathname.split('/');
  const shop = searchParams.get('shop') ?? 'main';
  if (resource === 'waiting') return Response.json(await orders.counts());
  if (resource !== 'orders') return new Response('try /orders', { status: 404 });
  if (request.method === 'POST') return accept(request, shop);
  return id ? result(id) : list(shop);
}

async function list(shop: string): Promise<Response> {
  const answer = await fetch(`${upstream}/${shop}/orders`);
  return handedOn(answer, await answer.text());
}

/**
 * The upstream's answer if it comes at once, else a 202: from then on nothing loses the order. Whoever gives one twice under
 * an id gives it once. What a shop orders arrives in this order.
 */
async function accept(request: Request, shop: string): Promise<Response> {
  const id = request.headers.get('x-order-id') ?? crypto.randomUUID();
  const answer = await fetch(`${upstream}/${shop}/orders`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: await request.text(),
    holdfast: { outbox: { id, lane: shop } },
  });
  return handedOn(answer, await said(answer), { location: `/orders/${id}` });
}

/** What the upstream has said to an order, or a 202 as long as it has not. */
async function result(id: string): Promise<Response> {
  const signal = AbortSignal.timeout(1000);
  const answer = await orders.result(id, { signal }).catch((error) => {
    if (!signal.aborted) throw error;
    return Response.json({ queued: true, id }, { status: 202 });
  });
  return handedOn(answer, await said(answer));
}

/** An order may have been taken, and the end of the answer have been lost on its way: how it went is known all the same. */
const said = (answer: Response): Promise<string> => answer.text().catch(() => '');

function handedOn(answer: Response, body: string, more?: Record<string, string>): Response {
  const type = answer.headers.get('content-type') ?? 'application/json';
  const headers = { 'content-type': type, 'x-source': sourceOf(answer), ...more };
  return new Response(body || null, { status: answer.status, headers });
}

/** Answers whom it is answering, gives its lanes back, and ends: what waits is sent by the next one. */
async function end(): Promise<void> {
  if (ending.signal.aborted) return;
  ending.abort();
  await server.shutdown();
  await fetch.close();
  kv.close();
  Deno.exit(0);
}
