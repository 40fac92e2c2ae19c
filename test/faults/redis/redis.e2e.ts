import type { EventEmitter } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { createStorage } from 'unstorage';
import redisDriver from 'unstorage/drivers/redis';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createFetch, isFailure, outbox, sourceOf, staleCache } from '../../../src/index.ts';
import { unstorageStore } from '../../../src/unstorage.ts';
import { type Origin, startOrigin } from '../../playground/processes.ts';
import { chance } from '../../support/misbehaving-server/chance.ts';
import { misbehave, type Place } from '../matrix/server.ts';
import { type RedisServer, redis, startRedis } from './server.ts';

const SEED = Number(process.env.HOLDFAST_SEED ?? 1);
const KILLS = 12;
const LANES = 4;

/** Redis is gone for so long, in ms; before that it has taken so many writes, and up to so long has passed. */
const GONE = 150;
const TAKEN = 15;
const MOMENT = 100;

const FAILURES = { failRate: 0.3, failModes: ['503', 'reset', 'unknown', 'unknown', 'resetBody'] as const };

if (!redis) console.log('redis     missing: no redis-server');

const here = test.skipIf(!redis && !process.env.CI);

let server: RedisServer;
let origin: Origin;
let place: Place;
let url: string;
const closing: (() => Promise<unknown>)[] = [];

beforeEach(async () => {
  if (!redis && !process.env.CI) return;
  server = await startRedis();
  origin = await startOrigin();
  url = `http://127.0.0.1:${origin.port}`;
  place = { url, control: `http://127.0.0.1:${origin.controlPort}` };
});
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
  await server?.close();
  await origin?.close();
});

/** What cannot be reached is an error soon, and is not sent again when it is back. */
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

async function app() {
  const store = unstorageStore(await storage(), { name: 'outbox', exclusive: true });
  const box = outbox({ store, backoffLimit: '200ms', every: '1s', attempts: 1_000, maxEntries: 10_000 });
  const fetch = createFetch({
    name: 'redis',
    partition: 'all',
    outbox: box,
    retry: false,
    breaker: false,
    timeout: { attempt: '2s' },
  });
  return { box, fetch };
}

here(
  'copies in Redis are served while the origin is gone, and no read waits for a Redis that is',
  async () => {
    const cache = staleCache({ store: unstorageStore(await storage(), { name: 'cache' }) });
    const fetch = createFetch({ partition: 'all', staleCache: cache, retry: false, breaker: false });
    closing.unshift(() => fetch.close());
    const read = async (): Promise<string> => {
      const response = await fetch(`${url}/bytes/1000`);
      return `${sourceOf(response)} ${(await response.arrayBuffer()).byteLength}`;
    };
    expect(await read()).toBe('network 1000');
    await expect.poll(async () => (await cache.usage()).entries, { timeout: 5_000 }).toBe(1);

    await server.kill();
    const since = performance.now();
    expect(await read()).toBe('network 1000');
    expect(performance.now() - since).toBeLessThan(5_000);

    await server.start();
    await origin.kill();
    await expect.poll(() => read().catch(String), { timeout: 10_000 }).toBe('stale 1000');
  },
);

here(
  `Redis is killed ${KILLS} times, and of what was accepted nothing is lost, applied twice or out of order`,
  { timeout: 120_000 },
  async () => {
    await misbehave(
      place,
      '/orders',
      { ...FAILURES, failModes: [...FAILURES.failModes], seed: SEED },
      undefined,
      'POST',
    );
    const accepted: string[][] = Array.from({ length: LANES }, () => []);
    const told = { refused: 0, unknown: new Set<string>() };
    let isOver = false;
    let running = await app();

    const customer = async (lane: number): Promise<void> => {
      for (let nth = 0; !isOver; nth++) {
        const id = `${lane}-${nth}`;
        try {
          const { status } = await running.fetch(`${url}/orders`, {
            method: 'POST',
            body: JSON.stringify({ item: id, note: 'x'.repeat(500) }),
            headers: { 'content-type': 'application/json' },
            holdfast: { outbox: { id, lane: `${lane}` } },
          });
          if (status < 300) accepted[lane]?.push(id);
        } catch (error) {
          if (!isFailure(error)) throw error;
          if (error.code === 'storage') told.refused++;
          // It may have been kept: what it says of itself is asked of nobody here.
          else told.unknown.add(id);
          await sleep(20);
        }
      }
    };
    const customers = Array.from({ length: LANES }, (_, lane) => customer(lane));
    for (let kill = 0; kill < KILLS; kill++) {
      const before = accepted.flat().length;
      await expect
        .poll(() => accepted.flat().length - before, { timeout: 20_000, interval: 5 })
        .toBeGreaterThan(TAKEN);
      await sleep(chance(SEED, 'moment', kill) * MOMENT);
      await server.kill();
      await sleep(GONE);
      await server.start();
      // Now and then the application is begun anew as well, as after a deployment.
      if (kill % 4 !== 3) continue;
      await running.fetch.close();
      running = await app();
    }
    isOver = true;
    await Promise.all(customers);
    closing.unshift(() => running.fetch.close());

    const all = accepted.flat();
    await expect
      .poll(async () => (await running.box.counts().catch(() => ({ waiting: -1 }))).waiting, {
        timeout: 60_000,
        interval: 200,
      })
      .toBe(0);
    const dead = await running.box.entries({ state: 'dead', limit: 1_000 });
    const ledger = (await origin.ledger()).map(({ body, seen, applied, nth }) => ({
      id: (JSON.parse(body) as { item: string }).item,
      seen,
      applied,
      nth,
    }));
    const duplicates = ledger.reduce((sum, { seen }) => sum + seen - 1, 0);
    console.log(
      `${KILLS} kills of Redis: ${all.length} accepted, ${told.refused} refused, ${told.unknown.size} not known, ${duplicates} duplicates on the wire, ${dead.length} dead`,
    );
    expect(dead).toEqual([]);
    const applied = new Map<string, number>();
    for (const { id, applied: times } of ledger) applied.set(id, (applied.get(id) ?? 0) + times);
    expect(all.filter((id) => applied.get(id) !== 1)).toEqual([]);
    for (const [id, times] of applied) {
      expect(times, id).toBeLessThan(2);
      expect(all.includes(id) || told.unknown.has(id) || times === 0, `${id} was refused`).toBe(true);
    }
    for (const ids of accepted) {
      const place = new Map(ledger.map(({ id, nth }) => [id, nth ?? -1]));
      const order = ids.map((id) => place.get(id) ?? -1);
      expect(order).toEqual(order.toSorted((a, b) => a - b));
    }
    expect(all.length).toBeGreaterThan(KILLS * TAKEN);
  },
);
