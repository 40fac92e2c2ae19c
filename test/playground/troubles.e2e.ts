import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { launchChromium } from './browsers.ts';
import { type Origin, type Playground, startOrigin, startPlayground } from './processes.ts';
import { type Browser, DEVTOOLS, openDeadLetter, openDevtools, place, sees, type Tab } from './tab.ts';

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
  await sees(tab, 'Orders', 'From the server');
});
afterEach(() => browser?.close());
afterAll(async () => {
  await playground?.close();
  await origin?.close();
});

async function breakServer(fault: string, does: string): Promise<void> {
  // The button says beforehand what it will do.
  expect(await tab.read('The server')).toContain(does);
  await tab.click(fault);
  await sees(tab, 'The server', `${does}.`);
}

async function heal(): Promise<void> {
  await tab.click('Heal');
  await sees(tab, 'The server', 'well');
}

describe('the playground', () => {
  test('in two tabs has one queue, one sender, and delivers each order once and in order', async () => {
    const other = await browser.open(playground.url);
    await breakServer('Disconnect', 'refuses every connection');
    const items = ['tea', 'bread', 'honey', 'salt'];
    for (const [nth, item] of items.entries()) {
      await place(nth % 2 ? other : tab, item);
      // Both tabs show it, whichever accepted it.
      for (const each of [tab, other]) await sees(each, 'Orders', new RegExp(`1 × ${item}[\\s\\S]+queued`));
    }

    // Both tabs try to send the same entries when the server comes back.
    for (const each of [tab, other]) await openDevtools(each, 'Outbox');
    await Promise.all([tab.click('Flush'), other.click('Flush')]);
    await heal();
    for (const each of [tab, other]) {
      await sees(each, 'Orders', 'Nothing waits');
      for (const item of items) await sees(each, 'Orders', new RegExp(`1 × ${item}\\s+order-`));
      await sees(each, 'Orders', /delivered\s+1 × salt/);
    }
    const senders = await Promise.all([tab, other].map((each) => each.read('Orders')));
    for (const item of items)
      expect(
        senders.map((text) => new RegExp(`1 × ${item}, by (.*) tab`).exec(text)?.[1]).toSorted(),
      ).toEqual(['another', 'this']);
    // Side by side, one says that it sends, and the other that it does not.
    const says = senders.map((text) => /(This|Another) tab sends for all tabs/.exec(text)?.[1]);
    expect(says.toSorted()).toEqual(['Another', 'This']);
    const writes = await origin.ledger();
    expect(writes.map(({ body, seen, applied, nth }) => [JSON.parse(body).item, seen, applied, nth])).toEqual(
      items.map((item, place) => [item, 1, 1, place + 1]),
    );
  });

  test('delivers an order once if the server had applied it and its response was lost', async () => {
    await breakServer('Lose responses', 'does its work, responses get lost');
    await place(tab, 'tea');
    await sees(tab, 'Orders', '1 × tea: will be sent');
    await heal();
    await sees(tab, 'Orders', /delivered\s+1 × tea/);
    const [write, ...more] = await origin.ledger();
    expect(more).toEqual([]);
    expect(write?.seen).toBeGreaterThan(1);
    expect(write?.applied).toBe(1);
    expect(await origin.orders()).toHaveLength(1);
  });

  test('keeps an order that the server refused, with the reason, and replays it', async () => {
    await breakServer('Reject orders', 'responds 422 to every order');
    await place(tab, 'tea');
    await sees(tab, 'Orders', /1 × tea\s+the server responded 422[\s\S]+refused/);
    await openDeadLetter(tab);
    await sees(tab, DEVTOOLS, '"status": 422');
    await tab.reload();
    await sees(tab, 'Orders', /1 × tea\s+the server responded 422[\s\S]+refused/);

    await heal();
    await openDeadLetter(tab);
    await tab.click('Replay');
    await sees(tab, 'Orders', /1 × tea\s+order-1/);
    await sees(tab, DEVTOOLS, '0 waiting, 0 dead');
    await sees(tab, 'Orders', 'Nothing waits');
  });

  test('sends a dead letter with the body that was edited', async () => {
    await place(tab, '');
    await sees(tab, 'Orders', 'must name what is ordered');
    await openDeadLetter(tab);
    await sees(tab, DEVTOOLS, 'must name what is ordered');
    await tab.click('Edit');
    await expect.poll(() => tab.value('Body')).toBe('{"item":"","quantity":1}');
    await tab.fill('Body', '{"item":"honey","quantity":2}');
    await tab.click('Save and replay');
    await sees(tab, 'Orders', /2 × honey\s+order-1/);
    await sees(tab, DEVTOOLS, 'There is no dead letter');
    // Under a key of its own: the old key stands for the refused body.
    expect((await origin.ledger()).map(({ applied }) => applied)).toEqual([0, 1]);
  });

  test('delivers the orders of three tabs in order, and shows the progress', async () => {
    const tabs = [tab];
    while (tabs.length < 3) tabs.push(await browser.open(playground.url));
    const last = tabs[2] as Tab;
    await breakServer('Disconnect', 'refuses every connection');
    for (const [nth, each] of tabs.entries()) {
      await each.fill('Item', `tab ${nth},`);
      await each.click('Order 20 times');
      await sees(tab, 'Orders', `${(nth + 1) * 20} waiting`);
    }
    await openDevtools(tab, 'Outbox');
    await tab.click('Pause');
    await sees(last, 'Orders', '60 waiting, paused');
    await heal();
    expect(await origin.ledger()).toEqual([]);
    await openDevtools(last, 'Outbox');
    await last.click('Resume');
    await sees(tab, 'Orders', /Delivering\s+\d+ of 60/);
    for (const each of tabs) await sees(each, 'Orders', 'Nothing waits');
    const writes = await origin.ledger();
    expect(writes.map(({ seen, applied }) => [seen, applied])).toEqual(Array(60).fill([1, 1]));
    const items = writes.map(({ body }) => JSON.parse(body).item);
    expect(items).toEqual(
      tabs.flatMap((_, nth) => Array.from({ length: 20 }, (_, at) => `tab ${nth}, ${at + 1}`)),
    );
  });

  test('removes a dead letter and a waiting order on request', async () => {
    await place(tab, '');
    await openDeadLetter(tab);
    await tab.click('Remove');
    await sees(tab, DEVTOOLS, 'There is no dead letter');

    await breakServer('Disconnect', 'refuses every connection');
    await place(tab, 'tea');
    await sees(tab, DEVTOOLS, '1 waiting, 0 dead');
    await tab.choose('Entries', 'Waiting');
    await tab.click(/orders/, 'option');
    await tab.click('Remove');
    await sees(tab, DEVTOOLS, '0 waiting, 0 dead');
    await sees(tab, 'Orders', 'Nothing waits');
    await sees(tab, 'Orders', /removed\s+1 × tea/);
  });

  test('ends a read that hangs at its time limit, with the saved copy', async () => {
    await place(tab, 'tea');
    await sees(tab, 'Orders', /1 × tea\s+order-1/);
    // The page reads again by itself when the server has changed.
    await breakServer('Hang', 'accepts requests, never responds');
    await sees(tab, 'Orders', /saved copy, \d+ s old/);
    await sees(tab, 'On the shelf', /saved copy, \d+ s old/);
    await openDevtools(tab, 'Calls');
    await sees(tab, DEVTOOLS, /stale 200/);
    await tab.click(/GET.*orders.*stale/, 'option');
    await sees(tab, DEVTOOLS, /attempt 1: timeout-attempt\s+2\.\d s/);
    await sees(tab, DEVTOOLS, /Cached response\s+\d/);
  });

  test('opens the circuit of a path that fails, and closes it on request', async () => {
    await openDevtools(tab, 'Circuits');
    await sees(tab, DEVTOOLS, 'closed');
    await breakServer('Fail', 'responds 503 to every request');
    await sees(tab, 'Orders', 'saved copy');
    await openDevtools(tab, 'Calls');
    await tab.click(/GET.*orders.*stale/, 'option');
    await sees(tab, DEVTOOLS, 'attempt 3: status 503');
    // Five failures open it.
    await openDevtools(tab, 'Circuits');
    await expect
      .poll(
        async () => {
          await tab.click('Refresh');
          return tab.read(DEVTOOLS);
        },
        { timeout: 90_000, interval: 500 },
      )
      .toMatch(/open\s+\S+\s*\/orders/);
    await tab.click(/open.*orders/, 'option');
    await sees(tab, DEVTOOLS, /Nothing is sent. Calls wait for a probe[\s\S]+Next probe\s+\d+:/);
    await sees(tab, DEVTOOLS, /Because of\s+status 503/);
    await tab.click('Refresh');
    await openDevtools(tab, 'Calls');
    await tab.click(/GET.*orders.*stale/, 'option');
    await sees(tab, DEVTOOLS, 'not sent: circuit-open');

    await openDevtools(tab, 'Circuits');
    await tab.click(/orders/, 'option');
    await tab.click('Reset');
    await sees(tab, DEVTOOLS, 'Calls go through.');
    await heal();
    await tab.click('Refresh');
    await sees(tab, 'Orders', 'From the server');
  });
});
