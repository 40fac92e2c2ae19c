import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { Miniflare } from 'miniflare';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type Shop, startShop } from './origin.ts';

let shop: Shop;
let worker: Miniflare;

beforeEach(async () => {
  shop = await startShop();
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('../../docs/recipes/hono.ts', import.meta.url))],
    bundle: true,
    format: 'esm',
    target: 'es2022',
    conditions: ['workerd', 'worker', 'browser'],
    write: false,
  });
  worker = new Miniflare({
    modules: [{ type: 'ESModule', path: 'worker.js', contents: outputFiles[0]?.text ?? '' }],
    compatibilityDate: '2026-07-01',
    bindings: { UPSTREAM: shop.url },
    // Otherwise it asks the network for a description of where it runs.
    cf: false,
  });
  await worker.ready;
});
afterEach(async () => {
  await worker.dispose();
  await shop.close();
});

const asked = () => worker.dispatchFetch('http://worker/orders');

test('a response of the upstream is passed on, with the headers of other middleware', async () => {
  const response = await asked();
  expect([response.status, await response.json()]).toEqual([200, []]);
  expect(response.headers.get('access-control-allow-origin')).toBe('*');
  expect(response.headers.get('etag')).toMatch(/^"/);
});

test('a failing upstream gets one retry, and the response is a problem', async () => {
  await shop.behave({ status: 500, body: 'password = swordfish' });
  const response = await asked();
  expect(response.status).toBe(502);
  expect(response.headers.get('content-type')).toBe('application/problem+json');
  expect(await response.json()).toMatchObject({
    status: 502,
    category: 'server',
    detail: 'The service has a problem of its own. Try again later.',
    requestId: expect.any(String),
  });
  expect(await shop.requests()).toEqual(['GET /orders', 'GET /orders']);
});

test('an upstream that is not there is not named in the problem, and is not called while its circuit is open', async () => {
  await shop.vanish();
  const first = await asked();
  const problem = await first.text();
  expect(first.status).toBe(502);
  expect(problem).not.toContain(new URL(shop.url).port);
  for (let n = 0; n < 4; n++) expect((await asked()).status).toBe(502);
  // Few of these are probes.
  const responses = await Promise.all(Array.from({ length: 12 }, asked));
  const refused = responses.filter(({ status }) => status === 503);
  expect(refused.length).toBeGreaterThan(responses.length / 2);
  for (const response of refused) {
    expect(Number(response.headers.get('retry-after'))).toBeGreaterThan(0);
    expect(await response.json()).toMatchObject({ category: 'circuit-open' });
  }
});

test('an upstream that is silent costs no more than the time limit', async () => {
  await shop.behave({ hang: 1 });
  const response = await asked();
  expect(response.status).toBe(504);
  expect(await response.json()).toMatchObject({ category: 'timeout' });
});

test('what the upstream says of the request goes to the client', async () => {
  await shop.behave({ status: 404 });
  expect((await asked()).status).toBe(404);
});

test('Hono’s own responses stay unchanged', async () => {
  expect((await worker.dispatchFetch('http://worker/nowhere')).status).toBe(404);
});
