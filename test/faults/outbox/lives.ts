import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { chance } from '../../../tools/misbehaving-server/chance.ts';
import type { Entry } from '../../../tools/misbehaving-server/ledger.ts';
import type { BrowserProcess, StartBrowser } from '../browser-processes.ts';
import { startSite } from '../site.ts';
import { isLogCut } from './cut-log.ts';
import { Heard } from './heard.ts';
import { startOrigin } from './origin.ts';
import { type Broken, queryOf } from './page/settings.ts';
import type { Found, Report } from './page/tell.ts';

export interface Plan {
  readonly start: StartBrowser;
  readonly kills: number;
  readonly seed: number;
  readonly page: URL;
  readonly worker?: URL;
  readonly broken?: Broken;
}

/**
 * The reports of the pages, the leftovers of the last one, and the requests that the origin
 * received.
 */
export interface Story {
  readonly plan: Plan;
  readonly heard: Heard;
  readonly left: Found;
  readonly ledger: readonly Entry[];
  readonly seconds: number;
}

/**
 * A page is killed after up to so many acceptances, and up to so many ms later; before the first it
 * opens its database.
 */
const WRITES = 20;
const MOMENT = 50;

/**
 * How long a browser may take to show a page, and the last one to deliver the waiting entries, in
 * ms.
 */
const TIMEOUT = 60_000;

/**
 * Starts a browser, kills it, and starts it again on the same profile; in its last life the origin
 * is well.
 */
export async function live(plan: Plan): Promise<Story> {
  const { start, kills, seed, page, worker, broken } = plan;
  const since = performance.now();
  const heard = new Heard();
  const profile = await mkdtemp(join(tmpdir(), 'holdfast-killed-'));
  const origin = await startOrigin(seed);
  const receive = (reports: unknown): void => {
    for (const report of reports as Report[]) heard.hear(report);
  };
  const site = await startSite(page, receive, worker);
  let browser: BrowserProcess | undefined;

  async function begin(life: number): Promise<void> {
    const query = queryOf({ seed, origin: origin.url, life, last: life === kills, broken });
    browser = start(profile, `${site.url}?${query}`);
    await soon(heard.begun(life), `the page of life ${life}`);
  }

  try {
    for (let life = 0; life < kills; life++) {
      await begin(life);
      const writes = Math.floor(WRITES * chance(seed, 'writes', life));
      await soon(heard.further(writes), `the ${writes} writes of life ${life}`);
      await sleep(MOMENT * chance(seed, 'moment', life));
      await browser?.kill();
      const ended = heard.lives[life];
      if (ended) ended.isLogCut = await isLogCut(profile);
    }
    await origin.heal();
    await begin(kills);
    const left = await soon(heard.ended.promise, 'the end of the last life');
    const seconds = (performance.now() - since) / 1000;
    return { plan, heard, left, ledger: await origin.ledger(), seconds };
  } finally {
    await browser?.kill();
    await site.close();
    await origin.close();
    await rm(profile, { recursive: true, force: true, maxRetries: 5 });
  }
}

async function soon<T>(promise: Promise<T>, what: string): Promise<T> {
  const over = new AbortController();
  const late = sleep(TIMEOUT, undefined, { signal: over.signal }).then(() => {
    throw new Error(`${what} did not come within ${TIMEOUT / 1000} s`);
  });
  return Promise.race([promise, late]).finally(() => over.abort());
}
