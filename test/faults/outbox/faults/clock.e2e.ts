import { expect } from 'vitest';
import { inEachBrowser, type Stage, type Tab } from './stage.ts';

const SECOND = 1_000;
const DAY = 86_400 * SECOND;

/** A write that has failed once is delivered before `settled` gives up: long before the clock is back. */
async function isDelivered({ origin }: Stage, tab: Tab, id: string): Promise<void> {
  await origin.heal();
  expect(await tab.call('settled', [id])).toEqual({ [id]: 'delivered' });
  expect(await origin.applied()).toEqual([id]);
}

// The page's own clock is set, before the library is loaded: no driver sets the machine's.
inEachBrowser((here) => {
  for (const [way, ms] of [
    ['back a day', -DAY],
    ['back ten minutes', -600 * SECOND],
    ['forward a day', DAY],
  ] as const) {
    here(`a clock set ${way} does not hold a write back`, async (stage) => {
      await stage.origin.behave({ status: 503 });
      const tab = await stage.open();
      await tab.call('begin', { origin: stage.origin.url });
      expect(await tab.call('give', { id: 'one' })).toMatchObject({ queued: true });
      await tab.call('setClock', ms);
      await isDelivered(stage, tab, 'one');
    });

    here(`a clock set ${way} between two pages does not hold a write back`, async (stage) => {
      await stage.origin.behave({ status: 503 });
      const before = await stage.open();
      await before.call('begin', { origin: stage.origin.url });
      expect(await before.call('give', { id: 'one' })).toMatchObject({ queued: true });
      const tab = await stage.reload(before, `?ahead=${ms}`);
      await tab.call('begin', { origin: stage.origin.url });
      await isDelivered(stage, tab, 'one');
    });
  }

  here('a clock set back a day does not hold a write back that has a Retry-After', async (stage) => {
    await stage.origin.behave({ status: 503, retryAfter: '2' });
    const tab = await stage.open();
    await tab.call('begin', { origin: stage.origin.url });
    expect(await tab.call('give', { id: 'one' })).toMatchObject({ queued: true });
    await tab.call('setClock', -DAY);
    await isDelivered(stage, tab, 'one');
  });

  here('a lane keeps its order and ids sort, however the clock is set', async (stage) => {
    const { origin } = stage;
    let tab = await stage.open();
    const given: string[] = [];
    const give = async (): Promise<void> => {
      const [outcome] = await tab.call('giveInTurn', [{ body: JSON.stringify({ item: `${given.length}` }) }]);
      expect(outcome).toMatchObject({ queued: true });
      given.push((outcome as { id: string }).id);
    };
    await tab.call('goOffline');
    await tab.call('begin', { origin: origin.url });
    await give();
    for (const ms of [-DAY, DAY, -2 * DAY, 0]) {
      await tab.call('setClock', ms);
      await give();
      await give();
    }
    for (const ms of [DAY, -DAY]) {
      tab = await stage.reload(tab, `?ahead=${ms}`);
      await tab.call('goOffline');
      await tab.call('begin', { origin: origin.url });
      await give();
    }
    expect([...given].sort()).toEqual(given);
    expect((await tab.call('entries')).map(({ id }) => id)).toEqual(given);
    await tab.call('goOnline');
    const ends = await tab.call('settled', given);
    expect(new Set(Object.values(ends))).toEqual(new Set(['delivered']));
    expect(await origin.applied()).toEqual(given.map((_, nth) => `${nth}`));
  });
});
