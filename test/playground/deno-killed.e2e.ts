import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { RunningServer } from '../../playground/deno/run.ts';
import { chance } from '../../tools/misbehaving-server/chance.ts';
import { type Entry, outOfOrder } from '../../tools/misbehaving-server/ledger.ts';
import { deno } from '../../tools/runtimes/installed.ts';
import { times } from '../support/extent.ts';
import { bodyOf, counts, type Order, openWorld, orderOf, post, until, type World } from './deno-world.ts';

const SEED = Number(process.env.HOLDFAST_SEED ?? 1);
const KILLS = times({ test: 3, soak: 50 });

/** A process is killed after up to so many answers, and up to so many ms later. */
const ANSWERS = 15;
const MOMENT = 1000;

/** The upstream fails so often, and so; in some of the ways it has taken the order, and its answer is lost. */
const FAILURES = {
  failRate: 0.35,
  failModes: [503, 429, 'reset', 'unknown', 'unknown', 'resetBody', 503, 'hang'],
};

/** Who order at once, two for each shop. Half of the shops are new in each life: of the others a killed process may have the lane. */
const CUSTOMERS = 6;

/** The longest pause of a customer between two orders, in ms. */
const PAUSE = 400;

/** What the callers know. */
interface Known {
  /** All that was ever asked for, by its id. */
  readonly asked: Map<string, Order>;
  readonly accepted: Map<string, number>;
  /** With which status. */
  readonly refused: Map<string, number>;
}

let world: World;
beforeEach(async () => {
  world = await openWorld();
});
afterEach(() => world.close());

test.skipIf(!deno && !process.env.CI)(
  `Deno is killed ${KILLS} times, and of what it has accepted nothing is lost or applied twice`,
  { timeout: 240_000 + KILLS * 5_000 },
  async () => {
    const since = performance.now();
    const known: Known = { asked: new Map(), accepted: new Map(), refused: new Map() };
    await world.control('behaviour', { match: { method: 'POST' }, behaviour: { ...FAILURES, seed: SEED } });
    for (let life = 0; life < KILLS; life++) await lived(life, await world.start(), known);
    const killed = (performance.now() - since) / 1000;

    await world.control('heal');
    const last = await world.start();
    await until('all that waits', 180_000, async () => (await counts(last)).waiting === 0);
    const seconds = (performance.now() - since) / 1000;
    const { deadLetters } = await counts(last);
    const ledger = (await world.ledger()).filter(({ body }) => body !== null);
    const unanswered: string[] = [];
    for (const id of known.accepted.keys())
      if ((await fetch(`${last.url}/${id}`)).status !== 201) unanswered.push(id);
    expect(await last.stop()).toBe(0);

    const applied = new Map<string, number>();
    for (const entry of ledger)
      applied.set(orderOf(entry), (applied.get(orderOf(entry)) ?? 0) + entry.applied);
    const delivered = [...applied].filter(([, times]) => times > 0).map(([id]) => id);
    const sent = ledger.reduce((sum, { seen }) => sum + seen, 0);
    console.log(
      [
        `Deno, seed ${SEED}: ${KILLS} kills in ${killed.toFixed(0)} s; all delivered ${(seconds - killed).toFixed(0)} s later`,
        `  ${known.asked.size} orders given, ${known.accepted.size} accepted, of which ${queued(known)} with a 202; ${known.refused.size} refused`,
        `  ${delivered.length} delivered, ${delivered.filter((id) => !known.accepted.has(id)).length} of them unknown to their callers; ${deadLetters} dead letters`,
        `  ${sent - ledger.length} sendings beyond the first of each`,
      ].join('\n'),
    );
    expect({
      lost: [...known.accepted.keys()].filter((id) => !applied.get(id)),
      appliedTwice: [...applied].filter(([, times]) => times > 1).map(([id]) => id),
      keyTwice: ledger.length - applied.size,
      overlapping: ledger.filter(({ overlaps }) => overlaps).map(orderOf),
      outOfOrder: outOfOrder(ledger, orderOf),
      spoilt: ledger.filter((entry) => isSpoilt(entry, known)).map(orderOf),
      refusedAndSent: [...known.refused.keys()].filter((id) => applied.has(id)),
      refusedOddly: [...known.refused.values()].filter((status) => status !== 503),
      unanswered,
      deadLetters,
    }).toEqual({
      lost: [],
      appliedTwice: [],
      keyTwice: 0,
      overlapping: [],
      outOfOrder: [],
      spoilt: [],
      refusedAndSent: [],
      refusedOddly: [],
      unanswered: [],
      deadLetters: 0,
    });
    expect(known.accepted.size).toBeGreaterThan(KILLS * 5);
  },
);

/** Orders are given, one after the other by each customer, until the process is killed. */
async function lived(life: number, server: RunningServer, known: Known): Promise<void> {
  const enough = Math.floor(ANSWERS * chance(SEED, 'answers', life));
  const before = known.accepted.size;
  let over = false;
  const customers = Array.from({ length: CUSTOMERS }, async (_, customer) => {
    const half = Math.floor(customer / 2);
    const shop = half % 2 === 0 ? `shop-${half}` : `shop-${half}-of-${life}`;
    for (let nth = 0; !over; nth++) {
      const large = chance(SEED, `${life}-${customer}`, nth) < 0.05;
      const order = {
        id: `${shop}.${life}.${customer}.${nth}`,
        shop,
        ...(large && { note: 'x'.repeat(200_000) }),
      };
      known.asked.set(order.id, order);
      const status = await post(server, order).then(
        (answer) => answer.status,
        () => undefined,
      );
      if (status === undefined) return;
      const list = status === 201 || status === 202 ? known.accepted : known.refused;
      list.set(order.id, status);
      await sleep(PAUSE * chance(SEED, `pause ${life}-${customer}`, nth));
    }
  });
  await until(
    `the ${enough} answers of life ${life}`,
    30_000,
    async () => known.accepted.size - before >= enough,
  );
  await sleep(MOMENT * chance(SEED, 'moment', life));
  await server.stop('SIGKILL');
  over = true;
  await Promise.all(customers);
}

const queued = ({ accepted }: Known): number =>
  [...accepted.values()].filter((status) => status === 202).length;

function isSpoilt(entry: Entry, { asked }: Known): boolean {
  const order = asked.get(orderOf(entry));
  return !order || entry.bodyDigest !== createHash('sha256').update(bodyOf(order)).digest('hex');
}
