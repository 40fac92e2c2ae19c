import { createFetch } from 'holdfast';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { obey } from '../../docs/recipes/kill-switch.ts';
import { type Backend, type Shop, startBackend, startShop } from './origin.ts';

let shop: Shop;
let settings: Backend;
let file: string;
let api: ReturnType<typeof createFetch>;
let end: () => void;

beforeEach(async () => {
  shop = await startShop();
  await shop.behave({ status: 503 });
  file = '{}';
  settings = await startBackend((_, response) => response.end(file));
  api = createFetch({ retry: { delay: () => 0 }, breaker: false });
  end = obey(api, { url: `${settings.url}/switches.json`, policies: ['retry'], every: 20 });
});
afterEach(async () => {
  end();
  await api.close();
  await settings.close();
  await shop.close();
});

/** How many requests a call makes. */
async function cost(): Promise<number> {
  const before = (await shop.requests()).length;
  await (await api(`${shop.url}/orders`)).text();
  return (await shop.requests()).length - before;
}

/** Gives a broadcast the time to arrive. */
async function says(text: string): Promise<void> {
  file = text;
  const before = (await settings.requests()).length;
  await expect.poll(async () => (await settings.requests()).length).toBeGreaterThan(before + 2);
}

test('what is switched off there is off here, until it is switched on', async () => {
  expect(await cost()).toBe(3);
  await says('{"retry": false}');
  expect(await cost()).toBe(1);
  await says('{}');
  expect(await cost()).toBe(3);
});

test.each(['<h1>Sign in</h1>', 'null', '[]', '"off"', ''])(
  'it stays so when the file is %j',
  async (text) => {
    await says('{"retry": false}');
    await says(text);
    expect(await cost()).toBe(1);
  },
);

test('it stays so without a file and without a network', async () => {
  await says('{"retry": false}');
  settings.fail(404);
  await says('{}');
  expect(await cost()).toBe(1);
  await settings.vanish();
  expect(await cost()).toBe(1);
  await settings.heal();
  await expect.poll(cost).toBe(3);
});

test('other policies, and values that are no switch, are passed over', async () => {
  await says('{"retry": 0, "timeout": false, "nonsense": false}');
  expect(await cost()).toBe(3);
});

test('ended, it asks no more', async () => {
  await says('{}');
  end();
  const { length } = await settings.requests();
  // As long as ten rounds take, on a connection of its own.
  for (let nth = 0; nth < 10; nth++) await cost();
  expect((await settings.requests()).length - length).toBeLessThan(2);
});
