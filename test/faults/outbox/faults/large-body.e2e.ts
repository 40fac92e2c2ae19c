import { expect } from 'vitest';
import { inEachBrowser } from './stage.ts';

const LARGE = 30_000_000;
const options = { maxEntryBytes: '30.1MB', maxBytes: '100MB' } as const;

inEachBrowser((here) => {
  here('30 MB are accepted without a network, survive a reload and arrive as they were', async (stage) => {
    const { origin } = stage;
    const before = await stage.open();
    await before.call('goOffline');
    await before.call('begin', { origin: origin.url, options });
    for (const kind of ['blob', 'form'] as const)
      expect(await before.call('giveLarge', kind, kind, LARGE)).toMatchObject({ queued: true });
    const tab = await stage.reload(before);
    await tab.call('goOffline');
    await tab.call('begin', { origin: origin.url, options });
    const blob = await tab.call('expectedOf', 'blob', 'blob', LARGE);
    const form = await tab.call('expectedOf', 'form', 'form', LARGE);
    await tab.call('goOnline');
    expect(await tab.call('result', 'blob')).toBe(blob);
    expect(await tab.call('result', 'form')).toBe(form);
    expect(await origin.ledger()).toMatchObject([{ seen: 1 }, { seen: 1 }]);
    expect(await tab.call('records')).toMatchObject({ entries: [], totals: { count: 0, bytes: 0 } });
  });

  here('a body over the limit is rejected, and no part of it is stored or sent', async ({ origin, open }) => {
    const tab = await open();
    await tab.call('begin', { origin: origin.url, options: { ...options, maxEntryBytes: LARGE - 1 } });
    for (const kind of ['blob', 'form'] as const)
      expect(await tab.call('giveLarge', kind, kind, LARGE)).toEqual({ failed: 'too-large' });
    expect(await tab.call('counts')).toEqual({ waiting: 0, deadLetters: 0, count: 0, bytes: 0 });
    expect(await tab.call('records')).toMatchObject({ entries: [], orphans: [] });
    expect(await origin.ledger()).toEqual([]);
  });
});
