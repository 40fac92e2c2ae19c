/** The outbox of a Durable Object in virtual time; the tests in workerd cover the platform. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test, vi } from 'vitest';
import { durableObjectStore, type OutboxObject, outboxObject } from '../../src/cloudflare.ts';
import { networkError, ok, scriptedOrigin, status, testHost, virtualClock } from '../../src/testing.ts';
import { page, settle } from '../support/outbox-page.ts';
import { give, sent } from '../support/outbox-writes.ts';
import { quiet } from '../support/platform.ts';
import { type SqliteObject, sqliteObject } from '../support/sqlite-object.ts';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

const MINUTE = 60_000;

interface Options {
  readonly outbox?: object;
  /** The storage of its previous life. */
  readonly id?: string;
  readonly storage?: SqliteObject;
  /** Default: the platform's. */
  readonly online?: undefined;
}

function object(options: Options = {}) {
  const { outbox = {}, storage = sqliteObject(), id = crypto.randomUUID() } = options;
  const host = testHost({ clock: virtualClock({ quiet }) });
  const origin = scriptedOrigin(host.clock);
  const Orders = outboxObject(class {} as never, () => ({
    fetch: origin.fetch,
    host: 'online' in options ? { clock: host.clock, random: host.random } : host,
    outbox,
  })) as unknown as new (
    state: object,
    env: object,
  ) => OutboxObject;
  const orders = new Orders({ id: { toString: () => id }, storage }, {});
  return {
    host,
    id,
    origin,
    storage,
    orders,
    /** The platform takes the alarm away before it calls. */
    rings(): Promise<void> {
      storage.alarm = null;
      return orders.alarm();
    },
    /** The ms until the alarm; `Infinity` without one. */
    next: (): number => (storage.alarm === null ? Infinity : storage.alarm - host.clock.now()),
  };
}

const order = (body: string): Request =>
  new Request('https://api.example.com/orders', { method: 'POST', body });

test('an object sends the writes of a lane in the order of accept, even if one is a blob', async () => {
  const here = page({ store: durableObjectStore(sqliteObject()) });
  here.host.connectivity.set(false);
  await Promise.all([give(here, new Blob(['first']) as never), give(here, 'second')]);
  here.host.connectivity.set(true);
  await here.outbox.flush();
  expect(sent(here)).toEqual(['first', 'second']);
});

test('an object adds no listener to its isolate, which would retain it after its end', async () => {
  const listening: string[] = [];
  vi.stubGlobal('addEventListener', (type: string) => void listening.push(type));
  const { orders } = object({ online: undefined });
  await orders.accept(order('one'));
  await orders.alarm();
  vi.unstubAllGlobals();
  expect(listening).toEqual([]);
});

test('an object that ends suddenly does not block its next life', async () => {
  const before = object();
  before.host.connectivity.set(false);
  await before.orders.accept(order('one'));
  const after = object({ id: before.id, storage: before.storage });
  await after.orders.accept(order('two'));
  await after.rings();
  expect(after.origin.seen.map(({ body }) => body)).toEqual(['one', 'two']);
});

test('an object that ends suddenly is collected', async () => {
  // Workers have no BroadcastChannel, and where there is one it is open until it is closed.
  vi.stubGlobal('BroadcastChannel', undefined);
  const used = async (): Promise<WeakRef<object>> => {
    const { origin, orders, storage, rings } = object({ online: undefined });
    origin.otherwise(networkError());
    await orders.accept(order('one'));
    await rings();
    return new WeakRef(storage);
  };
  const storage = await used();
  vi.unstubAllGlobals();
  for (let turn = 0; turn < 3; turn++) {
    await settle();
    gc();
  }
  expect(storage.deref()).toBeUndefined();
});

describe('an object sets an alarm', () => {
  test('an object sets an alarm for a write whose body took longer than the alarm', async () => {
    const { origin, orders, rings, next } = object();
    origin.otherwise(networkError());
    let end = (): void => {};
    const body = new ReadableStream({
      start(controller) {
        end = () => {
          controller.enqueue(new TextEncoder().encode('order'));
          controller.close();
        };
      },
    });
    const accepted = orders.accept(
      new Request('https://api.example.com/orders', { method: 'POST', body, duplex: 'half' } as RequestInit),
    );
    await settle();
    expect(next()).toBeLessThan(MINUTE);
    await rings();
    expect(next()).toBe(Infinity);
    end();
    await accepted;
    await settle();
    expect(await orders.counts()).toMatchObject({ waiting: 1 });
    expect(next()).toBeLessThan(MINUTE);
  });

  test('an object sets an alarm even if accept rejects, since the write may have been stored', async () => {
    const { orders, storage, next } = object();
    await orders.accept(order('one'), { id: 'a' });
    storage.alarm = null;
    await expect(orders.accept(order('another'), { id: 'a' })).rejects.toThrow(/another write/);
    expect(next()).toBeLessThan(MINUTE);
  });

  test('an object sets no alarm if nothing waits', async () => {
    const { origin, orders, rings, next } = object();
    origin.replies(ok());
    await orders.accept(order('one'));
    await rings();
    expect(await orders.counts()).toMatchObject({ waiting: 0 });
    expect(next()).toBe(Infinity);
  });

  test('an object sets an alarm for a write that it accepts while another alarm ends', async () => {
    const { host, origin, orders, storage, next } = object();
    await orders.pause({ lane: 'paused' });
    await orders.accept(order('one'), { lane: 'paused' });
    host.connectivity.set(false);
    const { setAlarm } = storage;
    let accepted: Promise<unknown> | undefined;
    // At the very moment in which it sets the alarm of an hour.
    storage.setAlarm = async (at) => {
      if (at > host.clock.now() + 30 * MINUTE) {
        storage.setAlarm = setAlarm;
        accepted = orders.accept(order('two'), { lane: 'other' });
        await settle();
      }
      await setAlarm(at);
    };
    storage.alarm = null;
    await orders.alarm();
    await accepted;
    expect(origin.seen).toHaveLength(0);
    expect(await orders.counts()).toMatchObject({ waiting: 2 });
    expect(next()).toBeLessThan(MINUTE);
  });
});

describe('the alarm of an object', () => {
  test('an alarm near the platform’s limit has set the next one, and starts no more sendings', async () => {
    const { host, origin, storage, orders, rings, next } = object();
    await orders.pause();
    for (let nth = 0; nth < 100; nth++) await orders.accept(order(`${nth}`));
    // Slow, and successful.
    origin.otherwise(
      (_, signal) =>
        new Promise((resolve, reject) => {
          host.clock.after(9_500, () => resolve(ok()));
          signal.addEventListener('abort', () => reject(signal.reason));
        }),
    );
    await orders.resume();
    let hasEnded = false;
    const alarm = rings().then(() => {
      hasEnded = true;
    });
    await host.clock.advance(5 * MINUTE);
    expect(hasEnded).toBe(false);
    expect(storage.alarm).not.toBeNull();
    await host.clock.advance(6 * MINUTE);
    expect(hasEnded).toBe(true);
    await alarm;
    const { length } = origin.seen;
    expect(length).toBeLessThan(70);
    await host.clock.advance(5 * MINUTE);
    expect(origin.seen).toHaveLength(length);
    expect(next()).toBeLessThan(2 * MINUTE);
    origin.otherwise(ok());
    await rings();
    expect(await orders.counts()).toMatchObject({ waiting: 0 });
    expect(next()).toBe(Infinity);
  });

  test('an alarm does not wait for an upload that takes longer than it', async () => {
    const { host, origin, orders, rings, next } = object();
    await orders.pause();
    await orders.accept(order('x'.repeat(300_000)));
    let arrive = (): void => {};
    origin.otherwise(
      () =>
        new Promise((resolve) => {
          arrive = () => resolve(ok());
        }),
    );
    await orders.resume();
    const began = host.clock.now();
    let endedAt = Infinity;
    let wait = 0;
    const alarm = rings().then(() => {
      endedAt = host.clock.now();
      wait = next();
    });
    await host.clock.advance(15 * MINUTE - 1);
    await alarm;
    expect(endedAt - began).toBeLessThan(15 * MINUTE);
    // As after due entries that could not be sent: it is no failure.
    expect(wait).toBe(MINUTE);
    arrive();
    await settle();
    expect(await orders.counts()).toMatchObject({ waiting: 0 });
    expect(origin.seen).toHaveLength(1);
  });

  test.each(['remove', 'purge'] as const)(
    'an alarm comes soon after a %s of the dead letter that blocked a lane',
    async (how) => {
      const { host, origin, orders, rings, next } = object({ outbox: { blockLaneOnFailure: true } });
      origin.replies(status(422));
      await orders.accept(order('a'), { id: 'a' });
      await settle();
      await orders.accept(order('b'), { id: 'b' });
      await settle();
      await rings();
      // Until the application resolves the dead letter.
      expect(next()).toBeGreaterThan(30 * MINUTE);
      origin.otherwise(networkError());
      await orders[how]('a');
      await settle();
      expect(origin.seen.map(({ body }) => body)).toEqual(['a', 'b']);
      const due = (await orders.lanes())[0]?.dueAt ?? 0;
      expect(next()).toBeLessThan(Math.max(due - host.clock.now(), 0) + MINUTE);
    },
  );

  test('an alarm comes rarely if the tables are of a newer version', async () => {
    const before = object();
    const { storage } = before;
    before.origin.otherwise(networkError());
    await before.orders.accept(order('a'));
    await settle();
    storage.sql.exec('UPDATE "holdfast_version" SET version = 2');
    const { rings, next } = object({ id: before.id, storage });
    await rings();
    expect(next()).toBeGreaterThan(30 * MINUTE);
    storage.sql.exec('UPDATE "holdfast_version" SET version = 1');
    await rings();
    expect(next()).toBeLessThan(30 * MINUTE);
  });

  test('an alarm backs off while the storage fails, and comes soon again after that', async () => {
    const { origin, orders, storage, rings, next } = object();
    origin.otherwise(networkError());
    await orders.accept(order('a'));
    await settle();
    const { exec } = storage.sql;
    const waits: number[] = [];
    const break_ = (): never => {
      throw new Error('Internal error in Durable Object storage.');
    };
    const failing = async (): Promise<void> => {
      Object.assign(storage.sql, { exec: break_ });
      await rings();
      waits.push(Math.round(next() / 1_000));
      Object.assign(storage.sql, { exec });
    };
    for (let nth = 0; nth < 8; nth++) await failing();
    expect(waits).toEqual([1, 2, 4, 8, 16, 32, 60, 60]);
    await rings();
    await failing();
    expect(waits.at(-1)).toBe(1);
  });
});
