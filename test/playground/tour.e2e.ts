import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { browsers } from './browsers.ts';
import { type Origin, type Playground, startOrigin, startPlayground } from './processes.ts';
import { type StaticSite, serveFolder } from './static-site.ts';
import { type Browser, DEVTOOLS, openDevtools, sees, type Tab } from './tab.ts';

const TOUR = 'A tour in three steps';

/** Walks through the tour. @param meanwhile What happens while the order waits. @returns the tab at the end. */
async function tour(tab: Tab, meanwhile: () => Promise<Tab> = async () => tab): Promise<Tab> {
  await sees(tab, 'On the shelf', /Honey[\s\S]+new/);
  await sees(tab, 'Orders', 'From the server');
  expect(await tab.read(TOUR)).not.toContain('done');

  await tab.click('Disconnect');
  await sees(tab, TOUR, /Break the server\s+done\s+The shop goes on with its saved copy/);
  await sees(tab, 'On the shelf', /saved \d+ s ago[\s\S]+Honey/);
  expect(await tab.read(TOUR)).not.toMatch(/tunnel\s+done/);

  await tab.click('Order Honey');
  await sees(tab, TOUR, /Order in the tunnel\s+done\s+1 × honey is in the outbox/);
  await sees(tab, 'Orders', /1 × honey\s+since .*\s+queued/);
  expect(await tab.read(TOUR)).not.toMatch(/Heal the server\s+done/);

  const later = await meanwhile();
  await later.click('Heal');
  await sees(
    later,
    TOUR,
    /Heal the server\s+done\s+Delivered. The server’s ledger: 1 × honey, received once, applied once/,
  );
  await sees(later, 'Orders', /1 × honey\s+order-1, .*\s+delivered/);
  await sees(later, 'On the shelf', /Honey[\s\S]+1 sold/);
  return later;
}

describe.each(browsers)('the tour in $name', ({ missing, launch }) => {
  let browser: Browser;
  afterEach(() => browser?.close());

  test.skipIf(missing && !process.env.CI)(
    'ticks its steps off, goes on after a reload, and starts again on request',
    async () => {
      await origin.reset();
      browser = await launch();
      const tab = await browser.open(playground.url);
      await tour(tab, async () => {
        await tab.reload();
        await sees(tab, TOUR, /tunnel\s+done/);
        return tab;
      });
      expect((await origin.ledger()).map(({ seen, applied }) => [seen, applied])).toEqual([[1, 1]]);

      await tab.click('Start again');
      await sees(tab, TOUR, 'Press Disconnect');
      expect(await tab.read(TOUR)).not.toContain('done');
    },
  );

  test.skipIf(missing && !process.env.CI)(
    'works in the static build, with a service worker as the server, and each fault does what it says',
    async () => {
      browser = await launch();
      const tab = await browser.open(`${site.url}/docs/playground/`);
      await tour(tab);
      await openDevtools(tab, 'Calls');
      // The order has a 202, or the 201 of its delivery if that was quick.
      await sees(tab, DEVTOOLS, /delivered[\s\S]+stale 200/);

      await tab.click('Lose responses');
      await sees(tab, 'The server', 'does its work, responses get lost.');
      await tab.click('Order Olives');
      await sees(tab, 'Orders', '1 waiting');
      await tab.click('Heal');
      await sees(tab, 'Orders', /1 × olives\s+order-2/);
      await sees(tab, 'Orders', /2 orders, received [3-9] times, applied twice/);

      await tab.click('Reject orders');
      await sees(tab, 'The server', 'responds 422 to every order.');
      await tab.click('Order Coffee');
      await sees(tab, 'Orders', /1 × coffee\s+the server responded 422[\s\S]+refused/);
      await tab.click('Heal');
      await tab.reload();
      await sees(tab, 'Orders', /1 × olives\s+order-2/);
    },
  );
});

let origin: Origin;
let playground: Playground;
let folder: string;
let site: StaticSite;
beforeAll(async () => {
  origin = await startOrigin();
  const ports = ['--origin-port', `${origin.port}`, '--control-port', `${origin.controlPort}`];
  // As on a documentation site: in a folder of a plain file server.
  folder = await mkdtemp(join(tmpdir(), 'holdfast-site-'));
  const built = promisify(execFile)(process.execPath, [
    'playground/build.ts',
    join(folder, 'docs/playground'),
  ]);
  [playground] = await Promise.all([startPlayground('--no-origin', ...ports), built]);
  site = await serveFolder(folder);
});
afterAll(async () => {
  await playground?.close();
  await origin?.close();
  await site?.close();
  if (folder) await rm(folder, { recursive: true, force: true });
});
