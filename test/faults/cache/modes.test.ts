import { afterAll, describe, expect, test } from 'vitest';
import { indexedDBStore } from '../../../src/stores/indexeddb/indexeddb.ts';
import { memoryStore } from '../../../src/stores/memory.ts';
import { inRoom } from '../matrix/pool.ts';
import { runtime } from '../matrix/runtime.ts';
import { crowd, flap } from './modes/flapping.ts';
import type { Order } from './modes/order.ts';
import { Page } from './modes/page.ts';
import { play } from './modes/play.ts';
import { type Mode, modes, networks, type State, states } from './modes/table.ts';

const TIME_LIMIT = 240_000;

const SEEDS = [1, 2, 3];
const STEPS = 20;
const ROUNDS = 15;

const isBrowser = ['chromium', 'firefox', 'webkit'].includes(runtime());

/** A browser has six connections to an origin, of which one is left for its driver. */
const AT_ONCE = isBrowser ? 5 : 20;

const databases: string[] = [];
afterAll(() => {
  for (const name of databases) indexedDB.deleteDatabase(name);
});

/** The setting of `holdfast` in a browser, too; only there is a cache below ours. */
const settings = [
  { validators: 'own', keeping: 'in memory', newStore: () => memoryStore },
  ...(isBrowser ? [{ validators: 'platform', keeping: 'in IndexedDB', newStore: database } as const] : []),
] as const;

/** One for all situations of a test, each with its own URL. */
function database() {
  const name = `modes-${crypto.randomUUID()}`;
  databases.push(name);
  return () => indexedDBStore({ name });
}

describe.each(settings)('validators: $validators, kept $keeping', ({ validators, newStore }) => {
  test.each(modes)(
    '%s keeps its promises for any cached response and network',
    async (mode) => {
      const store = newStore();
      const situations = (Object.keys(states) as State[]).flatMap((state) =>
        networksFor(mode).map((network) => ({ mode, state, network, validators })),
      );
      const lines = await inRoom(
        AT_ONCE,
        situations,
        () => 1,
        (situation) => play(situation, store()),
      );
      expect(lines.map(({ found }) => found)).toEqual(lines.map(({ wanted }) => wanted));
    },
    TIME_LIMIT,
  );

  test.each(modes)(
    '%s gives a result that follows from the history, however the network flaps',
    async (mode) => {
      const store = newStore();
      const open = (order: Order) => new Page({ validators, store: store(), transport: order.fetch });
      const lines = (
        await Promise.all(SEEDS.map((seed) => flap({ mode, validators }, open, seed, STEPS)))
      ).flat();
      expect(lines.map(({ found }) => found)).toEqual(lines.map(({ wanted }) => wanted));
    },
    TIME_LIMIT,
  );

  test(
    'no caller in a crowd gets a torn response, an older one than before, or none',
    async () => {
      const store = newStore();
      const open = (order: Order) => new Page({ validators, store: store(), transport: order.fetch });
      const wrong = await Promise.all(SEEDS.map((seed) => crowd({ validators }, open, seed, ROUNDS)));
      expect(wrong.flat()).toEqual([]);
    },
    TIME_LIMIT,
  );
});

/** A slow network makes a difference only in modes with a clock. */
const networksFor = (mode: Mode) =>
  networks.filter((network) => network !== 'slow' || mode === 'respondAfter');
