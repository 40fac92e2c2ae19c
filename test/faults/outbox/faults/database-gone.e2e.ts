import { expect } from 'vitest';
import { inEachBrowser, type Stage, type Tab } from './stage.ts';

const MANY = Array.from({ length: 60 }, (_, nth) => ({ id: `write ${nth}`, lane: `lane ${nth % 4}` }));

/** A write is accepted without a network, is there for the next page, and is delivered once. */
async function worksAgain(stage: Stage, tab: Tab, id: string): Promise<void> {
  await tab.call('goOffline');
  expect(await tab.call('give', { id })).toEqual({ status: 202, queued: true, id });
  const next = await stage.reload(tab);
  await next.call('begin', { origin: stage.origin.url });
  expect(await next.call('settled', [id])).toEqual({ [id]: 'delivered' });
  expect((await stage.origin.applied()).filter((each) => each === id)).toEqual([id]);
}

inEachBrowser((here) => {
  here(
    'a database that another tab deletes again and again: responses hold, and no write is sent twice',
    async (stage) => {
      const { origin } = stage;
      const tab = await stage.open();
      const other = await stage.open();
      await tab.call('begin', { origin: origin.url });
      const giving = tab.call('giveInTurn', MANY);
      for (let times = 0; times < 8; times++) await other.call('remove');
      const outcomes = await giving;
      const ledger = await origin.ledger();
      expect(ledger.filter(({ applied }) => applied > 1)).toEqual([]);
      const applied = await origin.applied();
      expect(new Set(applied).size).toBe(applied.length);
      for (const [nth, outcome] of outcomes.entries()) {
        const { id } = MANY[nth] as { id: string };
        // Delivered, or accepted and perhaps deleted since; or rejected or deleted, and then not
        // sent.
        if ('failed' in outcome) {
          expect(['storage', 'outbox-removed']).toContain(outcome.failed);
          expect([id, outcome, applied.includes(id)]).toEqual([id, outcome, false]);
        } else if (!outcome.queued) expect([outcome.status, applied.includes(id)]).toEqual([201, true]);
      }
      await worksAgain(stage, tab, 'after');
    },
  );

  here(
    'a database that is deleted under a waiting write: its result rejects, and later writes work',
    async (stage) => {
      const { origin } = stage;
      const tab = await stage.open();
      const other = await stage.open();
      await tab.call('goOffline');
      await tab.call('begin', { origin: origin.url });
      await tab.call('giveAll', MANY.slice(0, 3));
      await tab.call('askFor', 'write 0');
      await other.call('remove');
      expect(await tab.call('entries')).toEqual([]);
      expect(await tab.call('counts')).toEqual({ waiting: 0, deadLetters: 0, count: 0, bytes: 0 });
      expect(await tab.call('result', 'write 1')).toBe('outbox-unknown');
      await tab.call('goOnline');
      await tab.call('flush');
      expect(await origin.ledger()).toEqual([]);
      await worksAgain(stage, tab, 'after');
    },
  );

  here('the result of a write that the browser has deleted settles', async (stage) => {
    const tab = await stage.open();
    const other = await stage.open();
    await tab.call('goOffline');
    await tab.call('begin', { origin: stage.origin.url });
    await tab.call('give', { id: 'one' });
    await tab.call('askFor', 'one');
    await other.call('remove');
    await tab.call('goOnline');
    await tab.call('flush');
    expect(await tab.call('resultOf', 'one')).toBe('outbox-removed');
  });

  here(
    'a database that a clear of the site deletes: its writes are gone, and later writes work',
    async (stage) => {
      const { origin } = stage;
      const tab = await stage.open();
      const other = await stage.open();
      await tab.call('goOffline');
      await tab.call('begin', { origin: origin.url });
      await tab.call('giveAll', MANY.slice(0, 3));
      await other.call('clearSiteData');
      expect(await tab.call('entries')).toEqual([]);
      await tab.call('goOnline');
      await tab.call('flush');
      expect(await origin.ledger()).toEqual([]);
      await worksAgain(stage, tab, 'after');
    },
  );

  here(
    'a database that is deleted during a sending: the caller gets the response, and the write is sent once',
    async (stage) => {
      const { origin } = stage;
      const tab = await stage.open();
      const other = await stage.open();
      await origin.behave({ delay: 1_000 });
      await tab.call('begin', { origin: origin.url });
      const outcome = tab.call('give', { id: 'on its way' });
      while ((await origin.ledger()).length === 0);
      await other.call('remove');
      expect(await outcome).toMatchObject({ status: 201 });
      await origin.heal();
      await tab.call('flush');
      expect(await origin.ledger()).toMatchObject([{ seen: 1, applied: 1 }]);
      await worksAgain(stage, tab, 'after');
    },
  );
});
