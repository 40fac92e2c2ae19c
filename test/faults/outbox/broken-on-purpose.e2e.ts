import { expect, test } from 'vitest';
import { chromium } from '../../../tools/runtimes/installed.ts';
import { startChromium } from '../browser-processes.ts';
import { live } from './lives.ts';
import type { Broken } from './page/settings.ts';
import { reckon, type Wrongs } from './reckoning.ts';
import { summary } from './summary.ts';

const page = new URL('page/relentless.ts', import.meta.url);

/** Faults that a test must be able to find. */
const outboxes: readonly { readonly broken: Broken; readonly does: string; readonly wrong: keyof Wrongs }[] =
  [
    { broken: 'deletes-first', does: 'deletes a write before it sends it', wrong: 'lost' },
    { broken: 'no-key', does: 'sends no key', wrong: 'appliedTwice' },
  ];

for (const { broken, does, wrong } of outboxes) {
  test.skipIf(!chromium && !process.env.CI)(
    `the reckoning finds an outbox that ${does}`,
    { concurrent: true, timeout: 120_000 },
    async () => {
      const story = await live({ start: startChromium, kills: 12, seed: 1, page, broken });
      const reckoning = reckon(story);
      console.log(summary(`An outbox that ${does}`, story, reckoning));
      expect(reckoning.wrongs[wrong]).not.toEqual([]);
    },
  );
}
