import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Miniflare } from 'miniflare';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { workerBundle } from '../support/worker-bundle.ts';

let folder: string;
let contents: string;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-object-'));
  contents = await workerBundle(worker);
});
afterAll(() => rm(folder, { recursive: true }));

/** A Worker in a runtime of its own, until it is ended. */
const start = (origin: string): Miniflare =>
  new Miniflare({
    modules: [{ type: 'ESModule', path: 'worker.js', contents }],
    compatibilityDate: '2026-07-01',
    bindings: { ORIGIN: origin },
    durableObjects: { ORDERS: { className: 'Orders', useSQLite: true } },
    durableObjectsPersist: folder,
    // Otherwise it asks the network for a description of where it runs.
    cf: false,
  });

test('what an object has accepted without a network is delivered once, in order, after a restart', async () => {
  const arrived: string[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => {
      const body = Buffer.concat(chunks);
      arrived.push(`${request.headers['idempotency-key']} ${body.length} ${body[0]} ${body.at(-1)}`);
      response.end(`thanks for ${arrived.length}`);
    });
  });
  const { port } = await listening(server, 0);
  const origin = `http://127.0.0.1:${port}`;
  server.close();
  await once(server, 'close');
  try {
    const before = start(origin);
    const accepted: string[] = [];
    for (const [id, size] of [10, 3_000_000, 20].entries()) {
      const body = new Uint8Array(size).fill(id + 1);
      const answer = await before.dispatchFetch(`http://worker/accept?id=${id}`, { method: 'POST', body });
      accepted.push(await answer.text());
    }
    expect(accepted).toEqual(['202 queued', '202 queued', '202 queued']);
    await before.dispatchFetch('http://worker/close');
    await before.dispose();

    await listening(server, port);
    const after = start(origin);
    const delivered = await after.dispatchFetch('http://worker/deliver');
    expect(await delivered.json()).toEqual(['thanks for 1', 'thanks for 2', 'thanks for 3']);
    await after.dispose();
    expect(arrived.map((each) => each.split(' ').slice(1).join(' '))).toEqual([
      '10 1 1',
      '3000000 2 2',
      '20 3 3',
    ]);
    expect(new Set(arrived.map((each) => each.split(' ')[0])).size).toBe(3);

    const last = start(origin);
    expect(await (await last.dispatchFetch('http://worker/deliver')).json()).toHaveLength(3);
    await last.dispose();
    expect(arrived).toHaveLength(3);
  } finally {
    server.close();
  }
}, 60_000);

async function listening(server: Server, port: number): Promise<AddressInfo> {
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return server.address() as AddressInfo;
}

const worker = `
  import { DurableObject } from 'cloudflare:workers';
  import { createFetch, isQueued, outbox } from 'holdfast';
  import { durableObjectStore } from 'holdfast/cloudflare';

  export class Orders extends DurableObject {
    constructor(ctx, env) {
      super(ctx, env);
      this.origin = env.ORIGIN + '/orders';
      this.box = outbox({ store: durableObjectStore(ctx.storage), respondAfter: 100 });
      this.send = createFetch({ name: 'orders', partition: 'public', outbox: this.box, retry: false });
    }

    async fetch(request) {
      const { pathname, searchParams } = new URL(request.url);
      if (pathname === '/close') {
        await this.send.close();
        return new Response();
      }
      if (pathname === '/accept') {
        const holdfast = { outbox: { id: searchParams.get('id'), lane: 'orders' } };
        const answer = await this.send(this.origin, { method: 'POST', body: await request.arrayBuffer(), holdfast });
        return new Response(answer.status + (isQueued(answer) ? ' queued' : ' sent'));
      }
      await this.box.flush();
      const answers = ['0', '1', '2'].map(async (id) => (await this.box.result(id)).text());
      return Response.json(await Promise.all(answers));
    }
  }

  export default {
    fetch: (request, { ORDERS }) => ORDERS.get(ORDERS.idFromName('all')).fetch(request),
  };`;
