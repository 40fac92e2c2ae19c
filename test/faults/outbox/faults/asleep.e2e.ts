import { expect } from 'vitest';
import { inEachBrowser } from './stage.ts';

const EIGHT_DAYS = 8 * 86_400_000;

/** Writes of two lanes; the first and the last have the default expiry. */
const writes = [
  { id: 'old' },
  { id: 'patient', expiresAfter: false },
  { id: 'old elsewhere', lane: 'elsewhere' },
] as const;
const ids = writes.map(({ id }) => id);

const ends = {
  old: 'dead-lettered: expired',
  patient: 'delivered',
  'old elsewhere': 'dead-lettered: expired',
};
const dead = [
  { id: 'old', why: 'expired' },
  { id: 'old elsewhere', why: 'expired' },
];

// The page's own clock jumps: no driver sets the machine's.
inEachBrowser((here) => {
  here('after a week of sleep an expired write is emitted, and one without expiry is sent', async (stage) => {
    const { origin } = stage;
    const tab = await stage.open();
    await tab.call('goOffline');
    await tab.call('begin', { origin: origin.url });
    await tab.call('giveInTurn', writes);
    await tab.call('setClock', EIGHT_DAYS);
    await tab.call('goOnline');
    expect(await tab.call('settled', ids)).toEqual(ends);
    expect(await tab.call('entries', 'dead-letter')).toEqual(dead);
    expect(await tab.call('result', 'old')).toBe('dead-lettered');
    expect(await origin.applied()).toEqual(['patient']);
    expect(await origin.ledger()).toHaveLength(1);
  });

  here('a page that slept through its own timers drains at its next poll', async (stage) => {
    const { origin } = stage;
    await origin.behave({ status: 503, retryAfter: '3600' });
    const tab = await stage.open();
    await tab.call('begin', { origin: origin.url, options: { pollInterval: '500ms' } });
    await tab.call('giveInTurn', writes);
    await origin.heal();
    await tab.call('setClock', EIGHT_DAYS);
    expect(await tab.call('settled', ids)).toEqual(ends);
    expect(await origin.applied()).toEqual(['patient']);
  });

  here('a page that is opened after a week emits the expired writes as well', async (stage) => {
    const { origin } = stage;
    const before = await stage.open();
    await before.call('goOffline');
    await before.call('begin', { origin: origin.url });
    await before.call('giveInTurn', writes);
    const tab = await stage.reload(before, `?ahead=${EIGHT_DAYS}`);
    await tab.call('begin', { origin: origin.url });
    expect(await tab.call('settled', ids)).toEqual(ends);
    expect(await tab.call('entries', 'dead-letter')).toEqual(dead);
    expect(await origin.applied()).toEqual(['patient']);
    expect(await origin.ledger()).toHaveLength(1);
  });
});
