import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { request } from 'node:http';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Miniflare } from 'miniflare';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { unstable_getMiniflareWorkerOptions as workerOptions } from 'wrangler';
import { type Shop, startShop } from '../recipes/origin.ts';
import { install, type Project } from './project.ts';

const PATIENTLY = { timeout: 60_000, interval: 50 };

let project: Project;
let deployed: string;
beforeAll(async () => {
  project = await install('hono-worker');
  deployed = await run('wrangler/bin/wrangler.js', 'deploy', '--dry-run', '--outdir', 'dist');
});
afterAll(() => project?.remove());

/** @returns what the program printed, also if it failed. */
const run = (program: string, ...args: string[]): Promise<string> =>
  promisify(execFile)(process.execPath, [join(project.folder, 'node_modules', program), ...args], {
    cwd: project.folder,
    env: { ...process.env, NO_COLOR: '1', WRANGLER_SEND_METRICS: 'false' },
  }).then(
    ({ stdout }) => stdout,
    ({ stdout, stderr }) => `${stdout}${stderr}`,
  );

describe('wrangler.jsonc of hono-worker', () => {
  test('gives the Worker the types that it compiles with', async () => {
    expect(await run('wrangler/bin/wrangler.js', 'types')).toContain('ORDERS: DurableObjectNamespace<');
    // The sources of the library compile elsewhere, by stricter rules.
    const complaints = (await run('typescript/bin/tsc')).split('\n').filter((line) => /^[^.\s]/.test(line));
    expect(complaints).toEqual([]);
  });

  test('is accepted by wrangler deploy --dry-run', () => {
    expect(deployed).toMatch(/env\.ORDERS \(Orders\) +Durable Object/);
    expect(deployed).toContain('--dry-run: exiting now');
  });
});

describe('the Worker of hono-worker, in workerd', () => {
  let shop: Shop;
  let worker: URL;
  beforeEach(async () => {
    shop = await startShop();
    const config = workerOptions(join(project.folder, 'wrangler.jsonc')).workerOptions;
    const { compatibilityDate, compatibilityFlags, durableObjects, kvNamespaces } = config;
    const miniflare = new Miniflare({
      // wrangler has a Miniflare of its own, of another version.
      ...({ compatibilityDate, compatibilityFlags, durableObjects, kvNamespaces } as object),
      bindings: { ...(config.bindings as object), UPSTREAM: shop.url },
      modules: true,
      script: await readFile(join(project.folder, 'dist/worker.js'), 'utf8'),
      host: '127.0.0.1',
      cf: false,
    });
    worker = await miniflare.ready;
    return async () => {
      await miniflare.dispose();
      await shop.close();
    };
  });

  const get = (path: string): Promise<Response> => fetch(new URL(path, worker));
  const read = async (path = '/orders'): Promise<[number, string | null, string]> => {
    const response = await get(path);
    return [response.status, response.headers.get('holdfast-source'), await response.text()];
  };
  const status = async () =>
    (await (await get('/status')).json()) as {
      circuits: Record<string, { state: string }>;
      slots: object;
      outbox: { waiting: number; dead: number };
    };
  const slots = async () => (await status()).slots;
  const order = (id: string): Promise<Response> =>
    fetch(new URL('/orders', worker), {
      method: 'POST',
      headers: { 'x-order-id': id },
      body: JSON.stringify({ item: id }),
    });

  test('returns the response of the upstream as it is', async () => {
    const response = await get('/orders');
    expect([response.status, await response.json()]).toEqual([200, []]);
    expect(response.headers.get('etag')).toMatch(/^"/);
    expect((await get('/orders/none')).status).toBe(404);
    expect((await get('/nowhere')).status).toBe(404);
  });

  test('serves every client while the upstream flaps', async () => {
    expect(await read()).toEqual([200, null, '[]']);
    await shop.behave({ failRate: 0.5, failModes: [503, 'reset', 'resetBody'], seed: 7 });
    const responses = await Promise.all(Array.from({ length: 12 }, () => read()));
    for (let call = 0; call < 20; call++) responses.push(await read());
    expect(responses.filter(([code, , body]) => code !== 200 || body !== '[]')).toEqual([]);
  });

  test('serves the cached response when the upstream is gone, and a problem if there is none', async () => {
    await read();
    await shop.vanish();
    expect(await read()).toEqual([200, 'stale', '[]']);
    const response = await get('/orders/other');
    expect(response.status).toBeGreaterThanOrEqual(502);
    expect(response.headers.get('content-type')).toBe('application/problem+json');
    const problem = await response.text();
    expect(JSON.parse(problem)).toMatchObject({ status: response.status, detail: expect.any(String) });
    expect(problem).not.toContain(new URL(shop.url).port);
  });

  test('opens the circuit of an upstream that is gone, and closes it when the upstream is back', async () => {
    await shop.vanish();
    await expect
      .poll(async () => {
        const response = await get('/orders');
        return [response.status, Number(response.headers.get('retry-after')) > 0];
      }, PATIENTLY)
      .toEqual([503, true]);
    expect((await status()).circuits[shop.url]?.state).toBe('open');
    await shop.heal();
    await expect.poll(async () => (await read())[0], PATIENTLY).toBe(200);
    await expect
      .poll(async () => {
        await read();
        return Object.values((await status()).circuits).filter(({ state }) => state !== 'closed');
      }, PATIENTLY)
      .toEqual([]);
  });

  test('releases the slots of responses that it returns unread', async () => {
    for (let call = 0; call < 60; call++) expect((await read())[0]).toBe(200);
    for (let call = 0; call < 5; call++) expect((await read('/orders/none?status=500'))[0]).toBe(502);
    await expect.poll(slots, PATIENTLY).toEqual({});
  });

  test('ends the calls of clients that go away, before the headers and in the middle of a body', async () => {
    await shop.behave({ drip: 20, size: 100_000 });
    await leave('/orders', 'data');
    await expect.poll(() => shop.inFlight(), PATIENTLY).toBe(0);
    await shop.behave({ hang: true });
    await leave('/orders/slow', 'request');
    await expect.poll(async () => [await shop.inFlight(), await slots()], PATIENTLY).toEqual([0, {}]);
  });

  /** Closes the connection once the upstream has the request, or once some of the body has come. */
  async function leave(path: string, when: 'request' | 'data'): Promise<void> {
    const before = (await shop.requests()).length;
    const asking = request(new URL(path, worker), { agent: false });
    asking.on('error', () => {});
    const some = new Promise<void>((resolve) =>
      asking.once('response', (response) => response.on('error', () => {}).once('data', () => resolve())),
    );
    asking.end();
    await (when === 'data'
      ? some
      : expect.poll(async () => (await shop.requests()).length, PATIENTLY).toBeGreaterThan(before));
    asking.destroy();
  }

  test('keeps orders while the upstream is gone, and delivers each once', async () => {
    await shop.vanish();
    for (const id of ['tea', 'bread', 'tea']) {
      const response = await order(id);
      expect([response.status, await response.json()]).toEqual([202, { id }]);
    }
    expect((await status()).outbox).toMatchObject({ waiting: 2, deadLetters: 0 });
    await shop.heal();
    expect((await get('/accepted/bread')).status).toBe(201);
    expect((await shop.ledger()).map(({ body, applied }) => [JSON.parse(`${body}`).item, applied])).toEqual([
      ['tea', 1],
      ['bread', 1],
    ]);
    await expect.poll(async () => (await status()).outbox.waiting, PATIENTLY).toBe(0);
  });
});
