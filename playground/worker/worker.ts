/** An API in front of an upstream that flaps: reads have a copy, writes are kept until they are delivered. */
import { DurableObject, env } from 'cloudflare:workers';
import { createFetch, sourceOf, staleCache } from 'holdfast';
import { type OutboxObject, outboxObject, type WorkersKV, workersKVStore } from 'holdfast/cloudflare';
import { toProblemResponse } from 'holdfast/problem';

interface Env {
  readonly UPSTREAM: string;
  readonly RESPONSES: WorkersKV;
  readonly ORDERS: { getByName(name: string): OutboxObject };
}

const { UPSTREAM, RESPONSES } = env as unknown as Env;

/** For each isolate one: its circuits and the responses in its memory live as long as it does. */
const upstream = createFetch({
  timeout: { attempt: '1s', total: '3s' },
  partition: 'public',
  staleCache: staleCache({ store: workersKVStore(RESPONSES), mode: 'network-first' }),
});

/** What it has accepted survives this Worker; one for everybody, as nothing of these orders is anybody's own. */
export class Orders extends outboxObject(DurableObject, () => ({ timeout: { attempt: '2s' } })) {}

export default {
  /** By the clock, whatever the backoff: what waits is tried. */
  async scheduled(_: unknown, { ORDERS }: Env) {
    await ORDERS.getByName('everybody').flush();
  },

  async fetch(request: Request, { ORDERS }: Env, ctx: { waitUntil(work: Promise<unknown>): void }) {
    const { pathname } = new URL(request.url);
    const [, resource, id] = pathname.split('/');
    try {
      if (resource !== 'orders') return new Response('try /orders', { status: 404 });
      const outbox = ORDERS.getByName('everybody');
      if (request.method === 'POST') return Response.json(await accept(request, outbox), { status: 202 });
      if (id === 'waiting') return Response.json(await outbox.counts());
      if (id) return await outbox.result(id);
      const answer = await upstream(`${UPSTREAM}/orders`, {
        holdfast: { waitUntil: (work) => ctx.waitUntil(work) },
      });
      const headers = new Headers(answer.headers);
      headers.set('x-source', sourceOf(answer));
      return new Response(answer.body, { status: answer.status, headers });
    } catch (error) {
      return toProblemResponse(error);
    }
  },
};

/** Whoever gives the same order twice under one id gives it once. */
async function accept(request: Request, outbox: OutboxObject): Promise<{ id: string }> {
  const id = request.headers.get('x-order-id');
  const body = await request.text();
  const write = new Request(`${UPSTREAM}/orders`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body,
  });
  return outbox.accept(write, id === null ? {} : { id });
}
