/**
 * Gives orders to an outbox over SQLite until the process is killed; or, as the last one, delivers
 * the rest and ends. Runs in Node, Deno and Bun: `customers.ts <origin> <database> <name> [lease]
 * [last]`.
 */
import { createFetch, isFailure, outbox } from '../../../src/index.ts';
import { sqlStore } from '../../../src/sql.ts';
import { chance } from '../../../tools/misbehaving-server/chance.ts';
import { openSqlite } from '../../support/sqlite.ts';
import { bodyOf, type Order } from './orders.ts';

declare const process: { readonly argv: string[]; exit(code: number): void };

const [origin = '', database = '', name = '', ...flags] = process.argv.slice(2);

/** Two for each shop. Half of the shops are new: a killed process may have the lane of the others. */
const CUSTOMERS = 6;

/** The longest pause of a customer between two orders, in ms. */
const PAUSE = 100;

const { exec } = openSqlite(database);
const store = sqlStore({ exec, ...(!flags.includes('lease') && { lock: 'memory' }) });
const box = outbox({
  store,
  respondAfter: 300,
  backoffLimit: '200ms',
  pollInterval: '1s',
  attempts: 10_000,
  maxEntries: 100_000,
});
const fetch = createFetch({
  name: 'orders',
  partition: 'all',
  outbox: box,
  retry: false,
  breaker: false,
  timeout: { attempt: '1s' },
});

const pause = (ms: number): Promise<void> => new Promise((done) => setTimeout(done, ms));

if (flags.includes('last')) {
  while ((await box.counts()).waiting > 0) await pause(50);
  console.log(`dead ${(await box.counts()).deadLetters}`);
  await fetch.close();
  process.exit(0);
}

for (let customer = 0; customer < CUSTOMERS; customer++) void order(customer);

async function order(customer: number): Promise<void> {
  const half = Math.floor(customer / 2);
  const shop = half % 2 === 0 ? `shop-${half}` : `shop-${half}-of-${name}`;
  for (let nth = 0; ; nth++) {
    const isLarge = chance(7, `${name}-${customer}`, nth) < 0.05;
    const order: Order = { id: `${shop}.${name}.${customer}.${nth}`, size: isLarge ? 1_500_000 : 10 };
    console.log(`given ${order.id} ${order.size}`);
    try {
      const { status } = await fetch(`${origin}/${shop}/orders`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: bodyOf(order),
        holdfast: { outbox: { id: order.id, lane: shop } },
      });
      console.log(`accepted ${order.id} ${status}`);
    } catch (error) {
      console.log(`refused ${order.id} ${isFailure(error) ? error.code : error}`);
    }
    await pause(PAUSE * chance(7, `pause ${name}-${customer}`, nth));
  }
}
