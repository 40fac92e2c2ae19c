import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { AtomicStore } from '../../../src/core/store.ts';
import { indexedDBStore } from '../../../src/stores/indexeddb/indexeddb.ts';
import { memoryStore } from '../../../src/stores/memory.ts';
import type { Death } from '../../support/mortal-store.ts';
import { FATES, World } from '../../support/outbox-world.ts';

const hasIndexedDB = typeof indexedDB === 'object';

const stores: [name: string, make: () => AtomicStore][] = [['memory', memoryStore]];
if (hasIndexedDB)
  stores.push(['IndexedDB', () => indexedDBStore({ name: `crashes ${crypto.randomUUID()}` })]);

/** The promises that hold in the end, after any course of events. */
async function checkPromises(world: World): Promise<void> {
  world.fates.length = 0;
  world.host.connectivity.set(true);
  await world.open();
  for (let turn = 0; turn < 5; turn++) {
    await world.outbox.flush();
    await world.settle(60_000);
  }
  expect(await world.outbox.counts()).toMatchObject({ waiting: 0, count: 0, bytes: 0 });
  const dead = await world.dead();
  const applied = [...world.applied.values()];

  // No accepted write is lost: each is applied, or a dead letter, and not both.
  for (const { body, is } of world.given) {
    const ends = applied.filter((each) => each === body).length + dead.filter((each) => each === body).length;
    if (is === 'accepted') expect(ends, `${body} was accepted`).toBe(1);
    if (is === 'not accepted') expect(ends, `${body} was not accepted`).toBe(0);
    expect(ends, `${body} came to more than one end`).toBeLessThan(2);
  }
  // No write has two keys, or an origin that honours keys would apply it twice.
  const keys = new Map<string, string>();
  for (const { key, body } of world.arrived) {
    expect(keys.get(body) ?? key, `${body} has one key`).toBe(key);
    keys.set(body, key);
  }
  // Order within a lane.
  for (const lane of new Set(world.given.map(({ lane }) => lane))) {
    const order = world.given.filter((given) => given.lane === lane).map(({ body }) => body);
    const happened = applied.filter((body) => order.includes(body));
    expect(happened).toEqual(order.filter((body) => happened.includes(body)));
  }
}

/** Writes in two lanes, each of which meets another outcome. */
async function day(world: World, death: Death | undefined): Promise<void> {
  await world.open(death);
  world.fates.push('applied', 'turned away', 'lost', 'refused', 'unreached');
  for (let nth = 0; nth < 3; nth++) {
    world.write(`a${nth}`, 'a', { id: `a${nth}` });
    world.write(`b${nth}`, 'b');
    await world.settle();
  }
  await world.settle(60_000);
}

describe.each(stores)('crashes over %s', (name, make) => {
  test('a page that dies at any operation of its store loses, doubles and reorders no write', async () => {
    const whole = new World(make());
    await day(whole, undefined);
    const operations = whole.asked;
    await checkPromises(whole);
    await whole.close();
    expect(operations).toBeGreaterThan(30);
    // If each takes real time, every third is enough; memory covers the others.
    const step = name === 'memory' ? 1 : 3;
    for (let at = 1; at <= operations; at += step)
      for (const when of ['asked', 'done'] as const) {
        const world = new World(make());
        await day(world, { at, when });
        await checkPromises(world);
        await world.close();
      }
  }, 60_000);

  test('any sequence of events loses, doubles and reorders no write', async () => {
    const lane = fc.constantFrom('a', 'b', 'c');
    const command = fc.oneof(
      { weight: 6, arbitrary: fc.record({ do: fc.constant('write' as const), lane }) },
      {
        weight: 3,
        arbitrary: fc.record({ do: fc.constant('fate' as const), fate: fc.constantFrom(...FATES) }),
      },
      {
        weight: 2,
        arbitrary: fc.record({ do: fc.constant('wait' as const), ms: fc.integer({ max: 120_000, min: 0 }) }),
      },
      {
        weight: 2,
        arbitrary: fc.record({
          do: fc.constant('die' as const),
          at: fc.integer({ min: 1, max: 40 }),
          when: fc.constantFrom('asked' as const, 'done' as const),
        }),
      },
      { weight: 1, arbitrary: fc.record({ do: fc.constant('network' as const), up: fc.boolean() }) },
    );
    const many = name === 'memory' ? 150 : 15;
    await fc.assert(
      fc.asyncProperty(fc.array(command, { maxLength: 30 }), async (commands) => {
        const world = new World(make());
        await world.open();
        let nth = 0;
        for (const each of commands) {
          if (each.do === 'write') world.write(`${each.lane}${nth++}`, each.lane);
          else if (each.do === 'fate') world.fates.push(each.fate);
          else if (each.do === 'wait') await world.settle(each.ms);
          else if (each.do === 'die') await world.open(each);
          else world.host.connectivity.set(each.up);
        }
        await world.settle();
        await checkPromises(world);
        await world.close();
      }),
      { numRuns: many, seed: 5 },
    );
  }, 60_000);
});
