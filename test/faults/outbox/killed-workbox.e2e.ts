import { expect, test } from 'vitest';
import { chromium } from '../../../tools/runtimes/installed.ts';
import { times } from '../../support/extent.ts';
import { startChromium } from '../browser-processes.ts';
import { live } from './lives.ts';
import { KEYED } from './page/writes.ts';
import { reckon } from './reckoning.ts';
import { summary } from './summary.ts';

const KILLS = times({ test: 6, soak: 60 });
const SEED = Number(process.env.HOLDFAST_SEED ?? 1);

const page = new URL('page/workbox.ts', import.meta.url);
const worker = new URL('page/workbox-worker.ts', import.meta.url);

/** A comparison without expectations: the test prints its result. */
test.skipIf(!chromium && !process.env.CI)(
  `workbox-background-sync survives the same ${KILLS} kills`,
  { timeout: 120_000 + KILLS * 10_000 },
  async () => {
    const story = await live({ start: startChromium, kills: KILLS, seed: SEED, page, worker });
    const reckoning = reckon(story);
    const twice = reckoning.wrongs.appliedTwice;
    const keyed = twice.filter((item) => KEYED.some((lane) => item.startsWith(lane)));
    console.log(summary('workbox', story, reckoning));
    console.log(`  applied twice: ${twice.length - keyed.length} without a key, ${keyed.length} with one`);
    expect(reckoning.counts.accepted).toBeGreaterThan(0);
  },
);
