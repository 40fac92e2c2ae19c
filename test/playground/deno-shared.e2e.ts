import { afterEach, beforeEach, expect, test } from 'vitest';
import { deno } from '../../tools/runtimes/installed.ts';
import { counts, openWorld, orderOf, post, until, type World } from './deno-world.ts';

/** How long a lane belongs to a process that was killed, in ms; and what starting to send takes at the most. */
const LEASE = 30_000;
const START = 2_000;

let world: World;
beforeEach(async () => {
  world = await openWorld();
});
afterEach(() => world.close());

test.skipIf(!deno && !process.env.CI)(
  'two processes on one database have one sender, and when it is killed the other goes on when its lease has run out',
  { timeout: 240_000 },
  async () => {
    const [first, second] = [await world.start(), await world.start()];
    // Slow enough for two senders to meet at the upstream, and for many orders to wait.
    await world.control('behaviour', { match: { method: 'POST' }, behaviour: { delay: 40 } });
    const together = 60;
    const given = Array.from({ length: together }, (_, nth) =>
      post(nth % 2 === 0 ? first : second, { id: `both-${nth}` }),
    );
    const taken = (await Promise.all(given)).map(({ status }) => status);
    expect(taken.every((status) => status === 201 || status === 202)).toBe(true);
    await until('what both accepted', 60_000, async () => (await counts(first)).waiting === 0);

    // Only the first is asked, so it has the lane.
    await world.control('behaviour', { match: { method: 'POST' }, behaviour: { delay: 200 } });
    const alone = 40;
    const rest = Array.from({ length: alone }, (_, nth) => post(first, { id: `alone-${nth}` }));
    await Promise.all(rest);
    const before = (await world.ledger()).length;
    await first.stop('SIGKILL');
    const since = performance.now();
    const { waiting } = await counts(second);
    expect(waiting).toBeGreaterThan(alone / 2);
    await until('the other', LEASE + START, async () => (await world.ledger()).length > before + 1);
    const after = performance.now() - since;
    await until('all of it', 60_000, async () => (await counts(second)).waiting === 0);

    const ledger = await world.ledger();
    const sent = ledger.reduce((sum, { seen }) => sum + seen, 0);
    console.log(
      [
        `Two Deno processes: ${ledger.length} orders in one lane, ${ledger.filter(({ overlaps }) => overlaps).length} overlapping, ${sent - ledger.length} sent again`,
        `  ${waiting} waited when the sender was killed; the other went on ${(after / 1000).toFixed(1)} s later`,
      ].join('\n'),
    );
    expect(ledger.filter(({ overlaps }) => overlaps).map(orderOf)).toEqual([]);
    expect(ledger.every(({ applied }) => applied === 1)).toBe(true);
    expect(ledger).toHaveLength(together + alone);
    expect(await second.stop()).toBe(0);
  },
);
