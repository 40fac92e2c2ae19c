import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Site, startSite } from '../site.ts';
import { type Origin, startOrigin } from './origin.ts';
import { type Browser, browsers, type Tab } from './tabs.ts';

const TABS = 5;
const LANES = ['a', 'b', 'c', 'd'];
const WRITES = 24;

const POLL = { timeout: 90_000, interval: 20 };

const scripts = [
  new URL('page/main.ts', import.meta.url),
  new URL('page/worker.ts', import.meta.url),
] as const;

describe.each(browsers)('in $name', ({ missing, launch }) => {
  const here = test.skipIf(missing !== undefined && !process.env.CI);
  let site: Site;
  let origin: Origin;
  let browser: Browser;
  let tabs: Tab[];

  beforeAll(async () => {
    site = await startSite(scripts[0], undefined, scripts[1]);
    origin = await startOrigin();
    if (!missing || process.env.CI) browser = await launch();
  });
  beforeEach(async () => {
    tabs = [];
    while (browser && tabs.length < TABS) tabs.push(await browser.open(site.url));
    for (const tab of tabs) await tab.call('ready');
    await tabs[0]?.call('signIn', 'ann');
    for (const tab of tabs)
      await expect.poll(() => tab.call('counts').catch(() => 'nobody'), POLL).toEqual(EMPTY);
  });
  afterEach(async () => {
    for (const tab of tabs) await tab.close();
    await origin.reset();
  });
  afterAll(async () => {
    await browser?.close();
    await origin?.close();
    await site?.close();
  });

  here(
    'five tabs and a service worker have one sender for each lane, and apply each write once, in order',
    async () => {
      // Slow enough for two senders of a lane to overlap, and failing often enough for the lanes to
      // change hands.
      await origin.behave({ delay: 15, failRate: 0.2, seed: 1, failModes: [503, 'unknown', 'reset'] });
      const given = tabs.map((tab, nth) => {
        const wishes = Array.from({ length: WRITES }, (_, at) => ({
          id: `${nth}-${String(at).padStart(2, '0')}`,
          lane: LANES[at % LANES.length] as string,
        }));
        return tab.call('write', `${origin.url}/things`, wishes);
      });
      // The worker as well, whenever the browser thinks that there is a network.
      const waking = (async () => {
        for (let nth = 0; browser.sync && nth < 10; nth++) await browser.sync(site.url);
      })();
      await Promise.all([...given, waking]);
      await expect.poll(() => tabs[0]?.call('counts'), POLL).toMatchObject({ waiting: 0, deadLetters: 0 });

      const ledger = await origin.ledger();
      expect(ledger).toHaveLength(TABS * WRITES);
      expect(ledger.filter(({ applied }) => applied !== 1)).toEqual([]);
      expect(ledger.filter(({ overlaps }) => overlaps)).toEqual([]);
      const applied = [...ledger].sort((one, other) => (one.nth ?? 0) - (other.nth ?? 0));
      for (const lane of LANES)
        for (const tab of tabs.keys()) {
          const bodies = applied.filter((entry) => entry.lane === lane).map(({ body }) => body ?? '');
          const ours = bodies.filter((body) => body.startsWith(`${tab}-`));
          expect(ours).toEqual([...ours].sort());
        }
    },
  );

  here('another sender follows within seconds after a sender was killed', async () => {
    await origin.behave({ hang: 1 }, 1);
    const wishes = [1, 2, 3].map((nth) => ({ id: `w${nth}`, lane: 'a' }));
    tabs[0]?.call('write', `${origin.url}/things`, wishes).catch(() => {});
    // One has the lane, and its request hangs; the others know that entries wait after it.
    await expect.poll(() => origin.arrivals(), POLL).toHaveLength(1);
    let sender: Tab | undefined;
    for (const tab of tabs) {
      await expect.poll(() => tab.call('news'), POLL).toContainEqual(expect.stringMatching('queued w3'));
      if ((await tab.call('news')).includes('sending w1')) sender = tab;
    }
    const others = tabs.filter((tab) => tab !== sender);
    const killed = Date.now();
    await sender?.close();
    await expect.poll(() => origin.arrivals(), POLL).toHaveLength(4);
    const [, next] = await origin.arrivals();
    expect((next?.at ?? Infinity) - killed).toBeLessThan(10_000);
    await expect.poll(() => others[0]?.call('counts'), POLL).toEqual(EMPTY);
    const ledger = await origin.ledger();
    expect(ledger.map(({ body, applied }) => [body, applied])).toEqual([
      ['w1', 1],
      ['w2', 1],
      ['w3', 1],
    ]);
  });
});

const EMPTY = { waiting: 0, deadLetters: 0, count: 0, bytes: 0 };
