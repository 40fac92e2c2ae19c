import { expect, test } from 'vitest';
import { chromium, firefox } from '../../../tools/runtimes/installed.ts';
import { times } from '../../support/extent.ts';
import { startChromium, startChromiumOnSQLite, startFirefox } from '../browser-processes.ts';
import { live } from './lives.ts';
import { reckon, type Wrongs } from './reckoning.ts';
import { summary } from './summary.ts';

const SEED = Number(process.env.HOLDFAST_SEED ?? 1);

const browsers = [
  { name: 'Chromium', program: chromium, start: startChromium, kill: { test: 10, soak: 200 } },
  {
    name: 'Chromium on SQLite',
    program: chromium,
    start: startChromiumOnSQLite,
    kill: { test: 4, soak: 100 },
  },
  { name: 'Firefox', program: firefox, start: startFirefox, kill: { test: 6, soak: 200 } },
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

for (const { name, program, start, kill } of browsers) {
  const kills = times(kill);
  test.skipIf(!program && !process.env.CI)(
    `${name} that is killed ${kills} times loses no accepted write, applies none twice and none out of order`,
    // Side by side: each of them mostly waits for its browser.
    { concurrent: true, timeout: 240_000 + kills * 20_000 },
    async () => {
      const story = await live({ start, kills, seed: SEED, page });
      const reckoning = reckon(story);
      const { counts, wrongs } = reckoning;
      console.log(summary(name, story, reckoning));
      expect(story.heard.troubles).toEqual([]);
      expect(wrongs).toEqual(nothing);
      expect(counts.accepted).toBeGreaterThan(kills);
    },
  );
}
