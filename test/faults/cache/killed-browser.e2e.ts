import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { chance } from '../../../tools/misbehaving-server/chance.ts';
import { chromium } from '../../../tools/runtimes/installed.ts';
import { times } from '../../support/extent.ts';
import { type BrowserProcess, startChromium } from '../browser-processes.ts';
import { type Site, startSite } from '../site.ts';
import { type Origin, startOrigin } from './origin.ts';
import type { Reading } from './page/reading.ts';
import type { Message } from './page/relentless.ts';

const KILLS = times({ test: 8, soak: 200 });
const SEED = Number(process.env.HOLDFAST_SEED ?? 1);

/** From 1 kB to 3 MB, as many small ones as large ones. */
const paths = Array.from(
  { length: 24 },
  (_, nth) => `/${nth}?size=${Math.round(1_000 * 3_000 ** (nth / 23))}`,
);

let profile: string;
let origin: Origin;
let site: Site;
let browser: BrowserProcess | undefined;

/** The messages of the page of this life. */
let life: Life;
interface Life {
  readonly found: PromiseWithResolvers<Found>;
  readonly goOn: PromiseWithResolvers<void>;
  readonly troubles: string[];
  stored: number;
}
type Found = readonly (readonly [url: string, Reading])[];

beforeAll(async () => {
  profile = await mkdtemp(join(tmpdir(), 'holdfast-killed-'));
  origin = await startOrigin({ pace: 2 });
  site = await startSite(new URL('page/relentless.ts', import.meta.url), async (message) => {
    const report = message as Message;
    if ('trouble' in report) life.troubles.push(report.trouble);
    if ('stored' in report) life.stored++;
    if (!('found' in report)) return;
    life.found.resolve(report.found);
    await life.goOn.promise;
  });
});
afterAll(async () => {
  await browser?.kill();
  await origin?.refuse();
  await site?.close();
  await rm(profile, { recursive: true, force: true, maxRetries: 5 });
});

test.skipIf(!chromium && !process.env.CI)(
  'a browser that is killed while it stores bodies leaves whole cached responses or none',
  { timeout: 240_000 + KILLS * 10_000 },
  async () => {
    const sum = { stored: 0, served: 0, torn: 0, without: 0 };
    let kept: ReadonlySet<string> = new Set();
    for (let kill = 0; kill <= KILLS; kill++) {
      await origin.refuse();
      const found = await begin();
      const responses = found.filter(([, reading]) => 'source' in reading);
      const failures = found.flatMap(([, reading]) => ('failed' in reading ? [reading.failed] : []));
      expect(failures.filter((failed) => failed !== 'network')).toEqual([]);
      sum.served += responses.length;
      sum.torn += responses.filter(([, reading]) => 'whole' in reading && !reading.whole).length;
      const served = new Set(responses.map(([url]) => url));
      // Rarely Chromium finds its database damaged and begins a new one, or opens it too late for a
      // read; events report both.
      const isExcused = served.size === 0 || life.troubles.length > 0;
      const lost = [...kept].filter((url) => !served.has(url));
      if (!isExcused) expect(lost).toEqual([]);
      else if (lost.length > 0) sum.without++;
      kept = served;

      await origin.listen();
      life.goOn.resolve();
      await somewhereIn(kill);
      sum.stored += life.stored;
      await browser?.kill();
      browser = undefined;
    }
    const { stored, served, torn, without } = sum;
    console.log(`${KILLS} kills, ${stored} bodies stored, ${served} served after, ${torn} torn`);
    console.log(`${without} times without the database of before`);
    expect(sum.torn).toBe(0);
    expect(sum.without).toBeLessThanOrEqual(Math.ceil(KILLS / 20));
    // In the last life there may be none, as in any other.
    expect(sum.served).toBeGreaterThan(KILLS);
  },
);

/** Starts the browser on the profile of the last one. @returns the responses that it found there. */
async function begin(): Promise<Found> {
  life = { found: Promise.withResolvers(), goOn: Promise.withResolvers(), troubles: [], stored: 0 };
  const urls = JSON.stringify(paths.map((path) => origin.url + path));
  browser = startChromium(profile, `${site.url}?${new URLSearchParams({ urls })}`);
  return life.found.promise;
}

/** When something has been stored, some bodies have been sent, and a little later. */
async function somewhereIn(nth: number): Promise<void> {
  const until = origin.sent + 1 + Math.floor(chance(SEED, 'bodies', nth) * 8);
  await expect
    .poll(() => life.stored > 0 && origin.sent >= until, { timeout: 60_000, interval: 2 })
    .toBe(true);
  await sleep(chance(SEED, 'later', nth) * 40);
}
