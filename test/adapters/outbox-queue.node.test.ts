import { Miniflare } from 'miniflare';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Entry } from '../../tools/misbehaving-server/ledger.ts';
import { type MisbehavingServer, startServer } from '../../tools/misbehaving-server/server.ts';
import { workerBundle } from '../support/worker-bundle.ts';

const WRITES = 150;
const SEED = Number(process.env.HOLDFAST_SEED ?? 1);

let upstream: MisbehavingServer;
let miniflare: Miniflare;

beforeEach(async () => {
  upstream = await startServer({ keepAlive: false, controlPort: 0 });
  miniflare = new Miniflare({
    modules: [{ type: 'ESModule', path: 'worker.js', contents: await workerBundle(worker) }],
    compatibilityDate: '2026-07-01',
    bindings: { UPSTREAM: upstream.url },
    kvNamespaces: ['BODIES'],
    durableObjects: { LETTERS: { className: 'Letters', useSQLite: true } },
    queueProducers: { ORDERS: 'orders' },
    queueConsumers: {
      orders: { maxBatchSize: 20, maxBatchTimeout: 0.1, maxRetries: 4, deadLetterQueue: 'orders-dead' },
      'orders-dead': { maxBatchSize: 20, maxBatchTimeout: 0.1, maxRetries: 10 },
    },
    cf: false,
  });
  await miniflare.ready;
});
afterEach(async () => {
  await miniflare.dispose();
  await upstream.close();
});

async function control<T>(path: string, body?: object): Promise<T> {
  const init = body && { method: 'POST', body: JSON.stringify(body) };
  return (await fetch(`${upstream.controlUrl}/control/${path}`, init)).json() as Promise<T>;
}

const asked = async <T>(path: string): Promise<T> =>
  (await miniflare.dispatchFetch(`http://worker/${path}`)).json() as Promise<T>;

test('a real queue loses no write and applies none twice, and a rejected one is a dead letter', async () => {
  const failModes = ['503', 'reset', 'unknown', 'unknown', '429'];
  await control('behaviour', {
    match: { pathPrefix: '/orders' },
    behaviour: { failRate: 0.3, failModes, seed: SEED },
  });
  await control('behaviour', { match: { pathPrefix: '/refused' }, behaviour: { status: 422 } });
  await control('behaviour', { match: { pathPrefix: '/down' }, behaviour: { status: 503 } });
  const items = Array.from({ length: WRITES }, (_, nth) => `item ${nth}`);
  const give = async (path: string, item: string, size = 0): Promise<number> => {
    const body = JSON.stringify({ item, note: 'x'.repeat(size) });
    return (await miniflare.dispatchFetch(`http://worker/give${path}`, { method: 'POST', body })).status;
  };
  const statuses = await Promise.all(
    items.map((item, nth) => give('/orders', item, nth % 30 === 7 ? 200_000 : 0)),
  );
  expect(new Set(statuses)).toEqual(new Set([202]));
  await give('/refused', 'no such thing');
  await give('/down', 'later');

  const ledger = (): Promise<Entry[]> => control('ledger?path=/orders');
  await expect
    .poll(async () => (await ledger()).filter(({ applied }) => applied > 0).length, {
      timeout: 60_000,
      interval: 500,
    })
    .toBe(WRITES);
  await expect
    .poll(() => asked<{ waiting: number; deadLetters: number }>('counts'), { timeout: 30_000, interval: 500 })
    .toMatchObject({ waiting: 1, deadLetters: 1 });
  const entries = await ledger();
  const itemOf = ({ body }: Entry): string => /"item":"([^"]+)"/.exec(body ?? '')?.[1] ?? String(body);
  expect(entries.map(itemOf).toSorted()).toEqual(items.toSorted());
  for (const { applied } of entries) expect(applied).toBe(1);
  const onTheWire = entries.reduce((sum, { seen }) => sum + seen, 0);
  console.log(
    `${WRITES} writes over a real queue, each batch given twice: ${onTheWire} requests, ${entries.length} applied`,
  );
  expect(onTheWire).toBeGreaterThan(WRITES * 2 - 1);

  expect(await asked('letters')).toMatchObject([{ reason: { code: 'http', status: 422 } }]);
  // The waiting entries go on, now that the queue has moved them.
  await control('heal', {});
  await expect
    .poll(() => asked<{ waiting: number }>('counts'), { timeout: 60_000, interval: 500 })
    .toMatchObject({ waiting: 0 });
}, 150_000);

const worker = `
  import { DurableObject } from 'cloudflare:workers';
  import { createFetch } from 'holdfast';
  import { outboxObject, outboxQueue, workersKVStore } from 'holdfast/cloudflare';

  const upstream = createFetch({ timeout: { attempt: '2s' }, breaker: false });
  const outboxOf = ({ ORDERS, BODIES, LETTERS }) => outboxQueue({
    queue: ORDERS,
    fetch: upstream,
    bodies: workersKVStore(BODIES),
    deadLetters: () => LETTERS.getByName('all'),
    deadLetterQueue: 'orders-dead',
  });

  export class Letters extends outboxObject(DurableObject, () => ({ breaker: false })) {}

  /** As a platform that was ended before it could note that it was done. */
  const unheard = ({ queue, messages }) => ({
    queue,
    messages: messages.map(({ body, attempts }) => ({ body, attempts, ack() {}, retry() {} })),
  });

  export default {
    async fetch(request, env) {
      const { pathname } = new URL(request.url);
      if (pathname === '/counts') return Response.json(await env.LETTERS.getByName('all').counts());
      if (pathname === '/letters') return Response.json(await env.LETTERS.getByName('all').entries({ state: 'dead-letter' }));
      const write = new Request(env.UPSTREAM + pathname.slice('/give'.length), {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: await request.text(),
      });
      return Response.json(await outboxOf(env).accept(write), { status: 202 });
    },
    async queue(batch, env) {
      if (batch.queue === 'orders') await outboxOf(env).consume(unheard(batch));
      await outboxOf(env).consume(batch);
    },
  };`;
