import { createHash } from 'node:crypto';
import { expect } from 'vitest';
import { inEachBrowser } from './stage.ts';

const TIMES = 30;
const SIZE = 200_000;

const bodyOf = (id: string): string => JSON.stringify({ item: id, filling: 'x'.repeat(SIZE) });

// A page in a frame, which is removed: that works to the millisecond, and in every engine.
inEachBrowser((here) => {
  here(
    'a page that ends during accept leaves the whole write or nothing',
    async ({ origin, open, reload }) => {
      const tab = await open();
      const settings = { origin: origin.url };
      // The duration here: the pages end at each moment of it.
      await tab.call('giveInShortLived', settings, { id: 'first', body: bodyOf('first') }, 0);
      const long = await tab.call('howLong', settings, { id: 'measured', body: bodyOf('measured') });
      const accepted: string[] = [];
      for (let nth = 0; nth < TIMES; nth++) {
        const id = `write ${nth}`;
        const life = (1.3 * long * nth) / TIMES;
        if (await tab.call('giveInShortLived', settings, { id, body: bodyOf(id) }, life)) accepted.push(id);
      }
      const { entries, orphans, totals } = await tab.call('records');
      expect(entries.filter(([, size, found]) => size !== found)).toEqual([]);
      expect(orphans).toEqual([]);
      expect(totals).toEqual({
        count: entries.length,
        bytes: entries.reduce((sum, [, size]) => sum + size, 0),
      });
      // Else no write was cut short, or every one was.
      expect(entries.length).toBeGreaterThan(2);
      expect(entries.length).toBeLessThan(TIMES + 2);

      const next = await reload(tab);
      // No write may be delivered, and gone from the list, before it is read.
      await next.call('goOffline');
      await next.call('begin', settings);
      const ids = (await next.call('entries')).map(({ id }) => id);
      await next.call('goOnline');
      expect(ids).toEqual(expect.arrayContaining(accepted));
      expect(new Set(Object.values(await next.call('settled', ids)))).toEqual(new Set(['delivered']));
      expect((await origin.ledger()).map(({ bodyDigest }) => bodyDigest).sort()).toEqual(
        ids.map((id) => createHash('sha256').update(bodyOf(id)).digest('hex')).sort(),
      );
    },
  );
});
