import { expect } from 'vitest';
import { inEachBrowser, type Tab } from './stage.ts';

/** No call hangs, and none returns a false success. */
async function allRefused(tab: Tab, code: string): Promise<void> {
  const outcome = tab.call('give', { id: 'refused' });
  const calls = await tab.call('calls');
  expect(await outcome).toEqual({ failed: code });
  expect(calls).toEqual(
    Object.fromEntries(Object.keys(calls).map((name) => [name, expect.not.stringMatching(/^(ok|hung)$/)])),
  );
}

inEachBrowser((here) => {
  here(
    'each call rejects after a newer page took the database over, and the entries stay',
    async ({ origin, open, reload }) => {
      const tab = await open();
      const other = await open();
      await tab.call('goOffline');
      await tab.call('begin', { origin: origin.url });
      await tab.call('give', { id: 'before' });
      await other.call('holdOpen', 99);
      await allRefused(tab, 'storage-newer');
      await tab.call('goOnline');
      const next = await reload(tab);
      await next.call('begin', { origin: origin.url });
      await allRefused(next, 'storage-newer');
      expect(await origin.ledger()).toEqual([]);
      expect(await other.call('records')).toMatchObject({ totals: { count: 1 }, orphans: [] });
      await other.call('letGo');
      await other.call('remove');
      expect(await next.call('give', { id: 'after' })).toMatchObject({ status: 201 });
      expect(await origin.applied()).toEqual(['after']);
    },
  );

  here('no call waits for a database that never opens', async ({ origin, open }) => {
    const tab = await open();
    const other = await open();
    await other.call('holdOpen', 1);
    // It waits for the connection that is held open, and all later ones wait for it.
    const removing = other.call('remove');
    await tab.call('begin', { origin: origin.url });
    await allRefused(tab, 'storage');
    expect(await origin.ledger()).toEqual([]);
    await other.call('letGo');
    await removing;
    expect(await tab.call('give', { id: 'after' })).toMatchObject({ status: 201 });
    expect(await origin.applied()).toEqual(['after']);
  });
});
