import { expect, test } from 'vitest';
import { chromium, firefox } from '../../runtimes/installed.ts';
import { startChromium, startChromiumOnSQLite, startFirefox } from '../browser-processes.ts';
import { live } from './lives.ts';
import { reckon, type Wrongs } from './reckoning.ts';
import { told } from './told.ts';

const SEED = Number(process.env.HOLDFAST_SEED ?? 1);

/** How often each is killed, and how often where much else has to be shown as well. */
const browsers = [
  { name: 'Chromium', program: chromium, start: startChromium, often: 120, seldom: 25 },
  { name: 'Chromium on SQLite', program: chromium, start: startChromiumOnSQLite, often: 40, seldom: 10 },
  { name: 'Firefox', program: firefox, start: startFirefox, often: 45, seldom: 12 },
];

const page = new URL('page/relentless.ts', import.meta.url);

const nothing: Wrongs = {
  lost: [],
  unexplained: [],
  appliedTwice: [],
  outOfOrder: [],
  overlapping: [],
  refusedAndSent: [],
  answeredFalsely: [],
  buriedAlive: [],
  spoilt: [],
  miscounted: [],
};

for (const { name, program, start, often, seldom } of browsers) {
  const kills = Number(process.env.HOLDFAST_KILLS ?? (process.env.CI ? seldom : often));
  test.skipIf(!program && !process.env.CI)(
    `${name} is killed ${kills} times, and of what it has accepted nothing is lost, applied twice or out of order`,
    // Side by side: each of them mostly waits for its browser.
    { concurrent: true, timeout: 120_000 + kills * 10_000 },
    async () => {
      const story = await live({ start, kills, seed: SEED, page });
      const reckoning = reckon(story);
      const { counts, wrongs } = reckoning;
      console.log(told(name, story, reckoning));
      expect(story.heard.troubles).toEqual([]);
      expect(wrongs).toEqual(nothing);
      expect(counts.accepted).toBeGreaterThan(kills);
    },
  );
}
