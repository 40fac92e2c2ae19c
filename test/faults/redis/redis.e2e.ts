import type { EventEmitter } from 'node:events';
import { createStorage } from 'unstorage';
import redisDriver from 'unstorage/drivers/redis';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createFetch, sourceOf, staleCache } from '../../../src/index.ts';
import { unstorageStore } from '../../../src/unstorage.ts';
import { type Origin, startOrigin } from '../../playground/processes.ts';
import { type RedisServer, redis, startRedis } from './server.ts';

if (!redis) console.log('redis     missing: no redis-server');

const here = test.skipIf(!redis && !process.env.CI);

let server: RedisServer;
let origin: Origin;
let url: string;
const closing: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  if (!redis && !process.env.CI) return;
  server = await startRedis();
  origin = await startOrigin();
  url = `http://127.0.0.1:${origin.port}`;
});
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  await server?.close();
  await origin?.close();
});

/** A command to an unreachable Redis is an error soon, and is not sent again when it is back. */
async function storage() {
  const driver = redisDriver({
    url: server.url,
    maxRetriesPerRequest: 0,
    enableOfflineQueue: false,
    lazyConnect: false,
    autoResendUnfulfilledCommands: false,
    retryStrategy: () => 20,
  });
  const client = driver.getInstance?.() as Pick<EventEmitter, 'on' | 'once'>;
  client.on('error', () => {});
  await new Promise((ready) => client.once('ready', ready));
  const made = createStorage({ driver });
  closing.push(() => made.dispose());
  return made;
}

here(
  'cached responses in Redis are served while the origin is gone, and no read waits for a Redis that is gone',
  async () => {
    const cache = staleCache({ store: unstorageStore(await storage(), { name: 'cache' }) });
    const fetch = createFetch({ partition: 'all', staleCache: cache, retry: false, breaker: false });
    closing.unshift(() => fetch.close());
    const read = async (): Promise<string> => {
      const response = await fetch(`${url}/bytes/1000`);
      return `${sourceOf(response)} ${(await response.arrayBuffer()).byteLength}`;
    };
    expect(await read()).toBe('network 1000');
    await expect.poll(async () => (await cache.usage()).entries, { timeout: 60_000 }).toBe(1);

    await server.kill();
    const since = performance.now();
    expect(await read()).toBe('network 1000');
    expect(performance.now() - since).toBeLessThan(30_000);

    await server.start();
    await origin.kill();
    await expect.poll(() => read().catch(String), { timeout: 60_000 }).toBe('stale 1000');
  },
);
