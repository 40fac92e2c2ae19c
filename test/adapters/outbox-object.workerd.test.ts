import { evictDurableObject, runDurableObjectAlarm, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { beforeEach, describe, expect, test } from 'vitest';
import { type OutboxObject, outboxObject, type Sql } from '../../src/cloudflare.ts';

interface Arrived {
  readonly key: string | null;
  readonly body: string;
}

const scope = globalThis as unknown as { upstream: (request: Request) => Promise<Response> };
let arrived: Arrived[];
let target: string;
let respond: (nth: number) => Response | Promise<Response>;

beforeEach(() => {
  arrived = [];
  // Objects of earlier tests go on, each with its own.
  target = `https://api.example.com/${crypto.randomUUID()}`;
  respond = () => new Response('thanks', { status: 201 });
  const mine = target;
  scope.upstream = async (request) => {
    if (request.url !== mine) return new Response('too late', { status: 410 });
    arrived.push({ key: request.headers.get('idempotency-key'), body: await request.text() });
    return respond(arrived.length);
  };
});

const order = (body: string): Request => new Request(target, { method: 'POST', body });

interface Storage {
  readonly sql: Sql;
  getAlarm(): Promise<number | null>;
  setAlarm(at: number): Promise<void>;
  deleteAlarm(): Promise<void>;
}

const tables = ({ sql }: Storage) =>
  sql.exec(`SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'holdfast%'`).toArray();

/** An object of its own, and its events. */
function newOrders() {
  const stub = env.ORDERS.get(env.ORDERS.newUniqueId());
  return {
    inside: <T>(task: (orders: OutboxObject, storage: Storage) => Promise<T>): Promise<T> =>
      runInDurableObject(stub, (orders, { storage }) =>
        task(orders as OutboxObject, storage as unknown as Storage),
      ),
    alarm: () => runDurableObjectAlarm(stub),
    evict: () => evictDurableObject(stub),
  };
}

const unique = (entries: readonly Arrived[]): number => new Set(entries.map(({ key }) => key)).size;

describe('a write that an object has accepted', () => {
  test('an accepted write is delivered once, and result() has its response', async () => {
    const { inside, alarm } = newOrders();
    const { id } = await inside((orders) => orders.accept(order('one')));
    await alarm();
    await inside(async (orders) => {
      const result = await orders.result(id);
      expect([result.status, await result.text()]).toEqual([201, 'thanks']);
      expect(await orders.counts()).toMatchObject({ waiting: 0, deadLetters: 0 });
    });
    expect(arrived.map(({ body }) => body)).toEqual(['one']);
  });

  test('a waiting write always has an alarm, and an empty outbox has none', async () => {
    const { inside, alarm } = newOrders();
    respond = () => new Response('', { status: 503 });
    await inside(async (orders, storage) => {
      await orders.accept(order('one'));
      expect(await storage.getAlarm()).not.toBeNull();
    });
    await alarm();
    await inside(async (_, storage) => expect(await storage.getAlarm()).not.toBeNull());
    respond = () => new Response('thanks');
    // A delayed entry stays delayed: the next alarm comes when it is due.
    const due = await inside(async (orders) => (await orders.lanes())[0]?.dueAt ?? 0);
    const set = await inside((_, storage) => storage.getAlarm());
    expect(set).toBeGreaterThanOrEqual(due - 1);
    await inside((orders) => orders.resume());
    await alarm();
    await inside(async (orders, storage) => {
      expect(await orders.counts()).toMatchObject({ waiting: 0 });
      expect(await storage.getAlarm()).toBeNull();
    });
  });

  test('flush sends a write at once in spite of its backoff', async () => {
    const { inside, alarm } = newOrders();
    respond = () => new Response('', { status: 503, headers: { 'retry-after': '3600' } });
    await inside((orders) => orders.accept(order('one')));
    await alarm();
    respond = () => new Response('thanks');
    expect(await inside((orders) => orders.flush({ due: true }))).toMatchObject({ total: 1, left: 1 });
    expect(await inside((orders) => orders.flush())).toMatchObject({ total: 1, delivered: 1, left: 0 });
    expect(unique(arrived)).toBe(1);
    await alarm();
    expect(await inside((_, storage) => storage.getAlarm())).toBeNull();
  });

  test('a write whose body came slowly has an alarm', async () => {
    const { inside, alarm } = newOrders();
    respond = () => new Response('', { status: 503 });
    const accepted = inside(async (orders, storage) => {
      const { readable, writable } = new TransformStream();
      const given = orders.accept(new Request(target, { method: 'POST', body: readable }));
      const writer = writable.getWriter();
      await writer.write(new TextEncoder().encode('one'));
      while ((await storage.getAlarm()) !== null) await new Promise((resolve) => setTimeout(resolve, 10));
      await writer.close();
      await given;
      expect(await storage.getAlarm()).not.toBeNull();
      return orders.counts();
    });
    while (!(await alarm())) await new Promise((resolve) => setTimeout(resolve, 10));
    expect(await accepted).toMatchObject({ waiting: 1 });
  });

  test('a write survives the eviction of the object, and is sent under the same key', async () => {
    const { inside, alarm, evict } = newOrders();
    respond = () => new Response('', { status: 503, headers: { 'retry-after': '0' } });
    await inside((orders) => orders.accept(order('one'), { id: 'a' }));
    await inside((orders) => orders.accept(order('two'), { id: 'b' }));
    await evict();
    respond = () => new Response('thanks');
    for (let turn = 0; turn < 20; turn++) {
      await alarm();
      const { waiting } = await inside((orders) => orders.counts());
      if (waiting === 0) break;
      await inside((orders) => orders.resume());
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    expect(await inside((orders) => orders.counts())).toMatchObject({ waiting: 0, deadLetters: 0 });
    expect(unique(arrived)).toBe(2);
    expect(arrived.at(-1)?.body).toBe('two');
  });

  test('two writes under one id are one entry, before and after an eviction', async () => {
    const { inside, alarm, evict } = newOrders();
    await inside((orders) => orders.accept(order('one'), { id: 'a' }));
    await inside((orders) => orders.accept(order('one'), { id: 'a' }));
    await evict();
    await inside((orders) => orders.accept(order('one'), { id: 'a' }));
    await alarm();
    expect(arrived).toHaveLength(1);
    await expect(inside((orders) => orders.accept(order('another'), { id: 'a' }))).rejects.toThrow(
      /another write/,
    );
  });

  test('a write is sent once, though the alarm comes twice', async () => {
    const { inside, alarm } = newOrders();
    let letGo = (): void => {};
    const gate = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    respond = async () => {
      await gate;
      return new Response('thanks');
    };
    await inside((orders) => orders.accept(order('one')));
    const both = [inside((orders) => orders.alarm()), inside((orders) => orders.alarm())];
    letGo();
    await Promise.all(both);
    await alarm();
    expect(arrived).toHaveLength(1);
  });
});

describe('an object with an outbox', () => {
  test('an object whose storage fails resolves its alarm, and sets another one', async () => {
    const { inside } = newOrders();
    await inside((orders) => orders.pause());
    await inside((orders) => orders.accept(order('one')));
    await inside(async (orders, storage) => {
      for (const { name } of tables(storage)) storage.sql.exec(`DROP TABLE "${name}"`);
      await expect(orders.counts()).rejects.toMatchObject({ code: 'storage' });
      await orders.alarm();
      expect(await storage.getAlarm()).not.toBeNull();
    });
  });

  test('an object that cannot set its next alarm rejects, so that the platform calls it again', async () => {
    const { inside } = newOrders();
    respond = () => new Response('', { status: 503 });
    await inside((orders) => orders.accept(order('one')));
    await inside(async (orders, storage) => {
      const { setAlarm } = storage;
      await storage.deleteAlarm();
      storage.setAlarm = () => Promise.reject(new Error('overloaded'));
      await expect(orders.alarm()).rejects.toThrow('overloaded');
      storage.setAlarm = setAlarm;
    });
  });

  test('an object sets the next alarm within seconds if the backoff of a write ends before its alarm does', async () => {
    const Hasty = outboxObject(class {} as never, () => ({
      ...{ fetch: scope.upstream, retry: false, breaker: false },
      outbox: { backoffLimit: 0 },
    })) as unknown as new (
      state: unknown,
      env: unknown,
    ) => OutboxObject;
    respond = async () => {
      const since = Date.now();
      while (Date.now() === since) await new Promise((resolve) => setTimeout(resolve, 1));
      return new Response('', { status: 503 });
    };
    const box = env.BOX.get(env.BOX.newUniqueId());
    await runInDurableObject(box, async (_, state) => {
      const storage = state.storage as unknown as Storage;
      const orders = new Hasty(state, {});
      await orders.accept(order('one'));
      await storage.deleteAlarm();
      await orders.alarm();
      const set = (await storage.getAlarm()) ?? Number.POSITIVE_INFINITY;
      await storage.deleteAlarm();
      expect(set - Date.now()).toBeLessThan(5_000);
      await orders.purge();
      await orders.pause();
    });
  });

  test('an object sets a late alarm for entries that are paused, lack credentials or wait for another', async () => {
    const minute = 60_000;
    const next = async (orders: OutboxObject, storage: Storage): Promise<number> => {
      const since = Date.now();
      // As the platform does.
      await storage.deleteAlarm();
      await orders.alarm();
      return ((await storage.getAlarm()) ?? 0) - since;
    };
    const paused = newOrders();
    await paused.inside((orders) => orders.pause());
    await paused.inside((orders) => orders.accept(order('one')));
    expect(await paused.inside(next)).toBeGreaterThan(50 * minute);

    const refused = newOrders();
    respond = () => new Response('', { status: 401 });
    await refused.inside((orders) => orders.accept(order('one')));
    expect(await refused.inside(next)).toBeGreaterThanOrEqual(minute);

    const behind = newOrders();
    respond = () => new Response('', { status: 503, headers: { 'retry-after': '3600' } });
    await behind.inside((orders) => orders.accept(order('one'), { id: 'a', lane: 'a' }));
    await behind.inside((orders) => orders.accept(order('two'), { id: 'b', lane: 'a' }));
    expect(await behind.inside(next)).toBeGreaterThanOrEqual(minute);
  });

  test('a full object rejects a write, and keeps the entries it has', async () => {
    const { inside } = newOrders();
    respond = () => new Response('', { status: 503 });
    await inside(async (orders) => {
      for (let nth = 0; nth < 50; nth++) await orders.accept(order(`${nth}`));
      await expect(orders.accept(order('too many'))).rejects.toMatchObject({ code: 'outbox-full' });
      expect(await orders.counts()).toMatchObject({ waiting: 50 });
    });
  });

  test('an object lists its dead letters, and replays them', async () => {
    const { inside, alarm } = newOrders();
    respond = () => new Response('', { status: 422 });
    await inside((orders) => orders.accept(order('one'), { id: 'a', lane: 'cart' }));
    await alarm();
    await inside(async (orders) => {
      expect(await orders.entries({ state: 'dead-letter' })).toMatchObject([
        { id: 'a', lane: 'cart', reason: { status: 422 } },
      ]);
      respond = () => new Response('thanks');
      expect(await orders.replay('a')).toBe(true);
    });
    await alarm();
    expect(await inside((orders) => orders.counts())).toMatchObject({ waiting: 0, deadLetters: 0 });
    await inside(async (orders) => expect(await orders.purge()).toBe(0));
  });

  test('outboxObject requires the base class DurableObject, and a function for the options', () => {
    expect(() => outboxObject(undefined as never)).toThrow(/outboxObject\.Base: undefined .*DurableObject/);
    expect(() => outboxObject(class {} as never, {} as never)).toThrow(
      /outboxObject\.options: {} .*function/,
    );
  });
});
