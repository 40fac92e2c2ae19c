import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { launchChromium } from './browsers.ts';
import { type Origin, type Playground, startOrigin, startPlayground } from './processes.ts';
import { type Browser, place, sees, type Tab } from './tab.ts';

let origin: Origin;
let playground: Playground;
let browser: Browser;
let tab: Tab;

beforeAll(async () => {
  origin = await startOrigin();
  const ports = ['--origin-port', `${origin.port}`, '--control-port', `${origin.controlPort}`];
  playground = await startPlayground('--no-origin', ...ports);
});
beforeEach(async () => {
  await origin.reset();
  browser = await launchChromium();
  tab = await browser.open(playground.url);
  await sees(tab, 'Orders', 'From the origin');
});
afterEach(() => browser?.close());
afterAll(async () => {
  await playground?.close();
  await origin?.close();
});

describe('the playground', () => {
  test('in two tabs has one queue, and delivers each order once and in order', async () => {
    const other = await browser.open(playground.url);
    await tab.click('Vanish');
    await sees(tab, 'The origin', 'refuses every connection');
    const items = ['tea', 'bread', 'honey', 'salt'];
    for (const [nth, item] of items.entries()) {
      await place(nth % 2 ? other : tab, item);
      // In both, whichever took it.
      for (const each of [tab, other]) await sees(each, 'Outbox', `1 × ${item}`);
    }

    // Both are after the same entries when the origin comes back.
    await Promise.all([tab.click('Send now'), other.click('Send now')]);
    await tab.click('Heal');
    for (const each of [tab, other]) {
      await sees(each, 'Outbox', 'Nothing waits');
      for (const item of items) await sees(each, 'Orders', new RegExp(`1 × ${item}\\s+order-`));
      await sees(each, 'Orders', /delivered\s+1 × salt/);
    }
    const writes = await origin.ledger();
    expect(writes.map(({ body, seen, applied, nth }) => [JSON.parse(body).item, seen, applied, nth])).toEqual(
      items.map((item, place) => [item, 1, 1, place + 1]),
    );
  });

  test('delivers once what the origin had done already when its answer was lost', async () => {
    await tab.click('Lose answers');
    await sees(tab, 'The origin', 'its answers are lost');
    await place(tab, 'tea');
    await sees(tab, 'Orders', '1 × tea: will be sent');
    await tab.click('Heal');
    await sees(tab, 'Orders', /delivered\s+1 × tea/);
    const [write, ...more] = await origin.ledger();
    expect(more).toEqual([]);
    expect(write?.seen).toBeGreaterThan(1);
    expect(write?.applied).toBe(1);
    expect(await origin.orders()).toHaveLength(1);
  });

  test('keeps what the origin refuses, with the reason, and replays it', async () => {
    await tab.click('Reject writes');
    await sees(tab, 'The origin', 'every write with 422');
    await place(tab, 'tea');
    await sees(tab, 'Dead letters', /1 × tea\s+the origin answered 422/);
    await sees(tab, 'Dead letters', '"status": 422');
    await tab.reload();
    await sees(tab, 'Dead letters', /1 × tea\s+the origin answered 422/);

    await tab.click('Heal');
    await sees(tab, 'The origin', 'is well');
    await tab.click('Replay dead letter 1 × tea');
    await sees(tab, 'Orders', /1 × tea\s+order-1/);
    await sees(tab, 'Dead letters', 'None');
    await sees(tab, 'Outbox', 'Nothing waits');
  });

  test('has a dead letter mended, and sends it as it is now', async () => {
    await place(tab, '');
    await sees(tab, 'Dead letters', 'must name what is ordered');
    await tab.click('Edit dead letter 1 × (nothing named)');
    const body = 'Body of 1 × (nothing named)';
    await expect.poll(() => tab.value(body)).toBe('{"item":"","quantity":1}');
    await tab.fill(body, '{"item":"honey","quantity":2}');
    await tab.click('Send 1 × (nothing named) as it is now');
    await sees(tab, 'Orders', /2 × honey\s+order-1/);
    await sees(tab, 'Dead letters', 'None');
    // Under a key of its own: the old one stands for what was refused.
    expect((await origin.ledger()).map(({ applied }) => applied)).toEqual([0, 1]);
  });

  test('delivers what five tabs have piled up, in order, and says how far it is', async () => {
    const tabs = [tab];
    while (tabs.length < 5) tabs.push(await browser.open(playground.url));
    await tab.click('Vanish');
    await sees(tab, 'The origin', 'refuses every connection');
    for (const [nth, each] of tabs.entries()) {
      await each.fill('Item', `tab ${nth},`);
      await each.click('Order 20 times');
      await sees(tab, 'Outbox', `${(nth + 1) * 20}, in order`);
    }
    await sees(tab, 'Outbox', 'and 95 more');
    await tab.click('Pause');
    await sees(tabs[4] as Tab, 'Outbox', 'Go on');
    await tab.click('Heal');
    await sees(tab, 'The origin', 'is well');
    expect(await origin.ledger()).toEqual([]);
    await tabs[4]?.click('Go on');
    await sees(tab, 'Outbox', /Delivering\s+\d+ of 100/);
    for (const each of tabs) await sees(each, 'Outbox', 'Nothing waits');
    const writes = await origin.ledger();
    expect(writes.map(({ seen, applied }) => [seen, applied])).toEqual(Array(100).fill([1, 1]));
    const items = writes.map(({ body }) => JSON.parse(body).item);
    expect(items).toEqual(
      tabs.flatMap((_, nth) => Array.from({ length: 20 }, (_, at) => `tab ${nth}, ${at + 1}`)),
    );
  });

  test('removes a dead letter and a waiting order when told to', async () => {
    await place(tab, '');
    await sees(tab, 'Dead letters', 'must name what is ordered');
    await tab.click('Remove dead letter 1 × (nothing named)');
    await sees(tab, 'Dead letters', 'None');

    await tab.click('Vanish');
    await sees(tab, 'The origin', 'refuses every connection');
    await place(tab, 'tea');
    await sees(tab, 'Outbox', '1 × tea');
    await tab.click('Remove 1 × tea from the outbox');
    await sees(tab, 'Outbox', 'Nothing waits');
    await sees(tab, 'Orders', /removed\s+1 × tea/);
  });

  test('ends a read that hangs when its time is up, with the last copy', async () => {
    await place(tab, 'tea');
    await sees(tab, 'Orders', /1 × tea\s+order-1/);
    await tab.click('Hang');
    await sees(tab, 'The origin', 'never answers');
    await tab.click('Refresh');
    await sees(tab, 'Orders', /last copy, \d+ s old/);
    await sees(tab, 'Calls', /stale, \d+ s old/);
    await sees(tab, 'Calls', /1: no answer in time 2\.\d s/);
  });

  test('opens the circuit of an origin that fails, and closes it when told to', async () => {
    await sees(tab, 'Circuits', 'closed');
    await tab.click('Fail');
    await sees(tab, 'The origin', 'everything with 503');
    await tab.click('Refresh');
    await sees(tab, 'Orders', 'last copy');
    await sees(tab, 'Calls', '3: 503');
    // Five calls open it.
    await expect
      .poll(
        async () => {
          await tab.click('Refresh');
          return tab.read('Circuits');
        },
        { timeout: 90_000, interval: 500 },
      )
      .toMatch(/open\s+http.*\/orders\s+Calls wait for a probe, which may be sent in \d+ s/);
    await tab.click('Refresh');
    await sees(tab, 'Calls', 'not sent: circuit open');

    await tab.click('Heal');
    await sees(tab, 'The origin', 'is well');
    await tab.click(`Reset http://127.0.0.1:${origin.port}/orders`);
    await expect.poll(() => tab.read('Circuits')).not.toContain('open\n');
    await tab.click('Refresh');
    await sees(tab, 'Orders', 'From the origin');
  });
});
