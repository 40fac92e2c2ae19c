import { expect } from 'vitest';
import { inEachBrowser } from './stage.ts';

const LANES = 20;

/** Generous: counting an index takes an engine a while, and other tests use the machine. */
const SOON = 60_000;

inEachBrowser((here, name) => {
  // A driven WebKit keeps databases in memory, and looks through all of an index at each deletion.
  const [MANY, SENT] = name === 'WebKit' ? [10_000, 50] : [100_000, 200];
  const options = { maxEntries: MANY + 1, maxBytes: '1GB' } as const;

  here(`the outbox reads no more of ${MANY} waiting writes than it lists or sends`, async (stage) => {
    const { origin } = stage;
    const first = await stage.open();
    await first.call('goOffline');
    await first.call('begin', { origin: origin.url, options });
    await first.call('give', {});
    await first.call('multiply', MANY, LANES, 2 * SENT);
    const tab = await stage.reload(first);
    await tab.call('goOffline');

    const opened = await tab.call('beginMeasured', { origin: origin.url, options });
    expect(opened.records).toBeLessThan(10);
    const took = [opened.ms];

    for (const [after, firstOfPage] of [
      [null, 'many-0'],
      [MANY / 2 - 1, `many-${MANY / 2}`],
      [MANY - 51, `many-${MANY - 50}`],
    ] as const) {
      const page = await tab.call('listing', after);
      expect(page).toMatchObject({ result: { length: 50, first: firstOfPage }, records: 50 });
      took.push(page.ms);
    }

    const counts = await tab.call('countsMeasured');
    expect(counts.result).toMatchObject({ waiting: MANY, deadLetters: 0, count: MANY });
    expect(counts.records).toBeLessThan(5);

    const lanes = await tab.call('lanesMeasured');
    expect(lanes.result).toHaveLength(LANES);
    expect(lanes.result[0]).toMatchObject({ waiting: MANY / LANES });
    expect(lanes.records).toBeLessThan(2 * LANES + 5);

    const drained = await tab.call('drainMeasured', SENT);
    // Each is read on a page of its lane, again after a while, and when it is acknowledged.
    expect(drained.records).toBeLessThan(12 * SENT + 10 * LANES);
    expect(drained.largest).toBeLessThanOrEqual(100);
    took.push(counts.ms, lanes.ms, drained.ms);
    expect(took.filter((ms) => ms > SOON)).toEqual([]);
    expect((await origin.applied()).length).toBeGreaterThanOrEqual(SENT);
    expect((await origin.ledger()).filter(({ seen }) => seen > 1)).toEqual([]);
  });
});
