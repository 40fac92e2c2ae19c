import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { browsers } from './browsers.ts';
import { type Origin, type Playground, startOrigin, startPlayground } from './processes.ts';
import { type Browser, DEVTOOLS, openDevtools, place, sees } from './tab.ts';

let origin: Origin;
let playground: Playground;

beforeAll(async () => {
  origin = await startOrigin();
  const ports = ['--origin-port', `${origin.port}`, '--control-port', `${origin.controlPort}`];
  playground = await startPlayground('--no-origin', ...ports);
});
beforeEach(() => origin.reset());
afterAll(async () => {
  await playground?.close();
  await origin?.close();
});

describe.each(browsers)('in $name', ({ missing, launch }) => {
  let browser: Browser;

  test.skipIf(missing && !process.env.CI)(
    'an order placed while the server is dead is delivered once after it has come back',
    async () => {
      browser = await launch();
      let tab = await browser.open(playground.url);
      await sees(tab, 'Orders', 'From the server');
      await place(tab, 'tea');
      await sees(tab, 'Orders', /1 × tea\s+order-1/);
      await sees(tab, 'Status', /ok[\s\S]+All is well/);

      await origin.kill();
      await tab.reload();
      await sees(tab, 'Orders', /saved copy, \d+ s old/);
      await sees(tab, 'Orders', /1 × tea\s+order-1/);

      await place(tab, 'bread');
      await sees(tab, 'Orders', '1 × bread: will be sent when the server is back');
      await sees(tab, 'Orders', /1 × bread[\s\S]+queued[\s\S]+1 waiting/);
      await sees(tab, 'Status', '1 order waiting');
      await openDevtools(tab, 'Calls');
      await sees(tab, DEVTOOLS, /outbox 202[\s\S]+stale 200/);
      await openDevtools(tab, 'Outbox');
      await sees(tab, DEVTOOLS, '1 waiting, 0 dead');

      await browser.leave();
      await origin.start();
      tab = await browser.open(playground.url);
      await sees(tab, 'Orders', /delivered\s+1 × bread/);
      await sees(tab, 'Orders', /1 × bread\s+order-2/);
      await sees(tab, 'Orders', 'From the server');
      await sees(tab, 'Orders', 'Nothing waits');
      await sees(tab, DEVTOOLS, '0 waiting, 0 dead');

      const writes = await origin.ledger();
      expect(writes.map(({ body }) => JSON.parse(body).item)).toEqual(['tea', 'bread']);
      for (const { seen, applied } of writes) expect({ seen, applied }).toEqual({ seen: 1, applied: 1 });
      expect((await origin.orders()).map(({ item }) => item)).toEqual(['tea', 'bread']);
    },
  );

  afterAll(() => browser?.close());
});
