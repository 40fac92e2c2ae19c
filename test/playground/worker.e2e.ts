import { execFileSync } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { type RunningWorker, startWorker } from '../../playground/worker/run.ts';
import { chance } from '../../tools/misbehaving-server/chance.ts';
import type { Entry } from '../../tools/misbehaving-server/ledger.ts';
import { type MisbehavingServer, startServer } from '../../tools/misbehaving-server/server.ts';
import { times } from '../support/extent.ts';

const SEED = Number(process.env.HOLDFAST_SEED ?? 1);
/** How often the Worker is ended and started again, and how many orders it is given. */
const RESTARTS = times({ test: 6, soak: 50 });
const ORDERS = RESTARTS * 20;

let folder: string;
let upstream: MisbehavingServer;
let worker: RunningWorker;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-worker-'));
  upstream = await startServer({ keepAlive: false, controlPort: 0 });
  worker = await start();
});
afterEach(async () => {
  await worker.stop();
  await upstream.close();
  await rm(folder, { recursive: true, force: true, maxRetries: 5 });
});

const start = (): Promise<RunningWorker> => startWorker({ upstream: upstream.url, folder });

/** The processes of workerd that this one has started. */
const processes = (): number[] =>
  execFileSync('ps', ['-A', '-o', 'pid=,ppid=,comm='], { encoding: 'utf8' })
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter(([, parent, command]) => Number(parent) === process.pid && command?.includes('workerd'))
    .map(([pid]) => Number(pid));

/** Ends workerd in the middle of whatever it does, without a word. */
async function kill(): Promise<void> {
  for (const pid of processes()) process.kill(pid, 'SIGKILL');
  await worker.stop().catch(() => {});
}

async function control(path: string, body?: object): Promise<unknown> {
  const init = body && { method: 'POST', body: JSON.stringify(body) };
  return (await fetch(`${upstream.controlUrl}/control/${path}`, init)).json();
}

const behave = (behaviour: object): Promise<unknown> => control('behaviour', { match: {}, behaviour });
const ledger = async () => (await control('ledger')) as Entry[];
const itemOf = ({ body }: Entry): string => /"item":"([^"]+)"/.exec(body ?? '')?.[1] ?? String(body);

const give = (item: string, id = item): Promise<Response> =>
  fetch(`${worker.url}orders`, {
    method: 'POST',
    headers: { 'x-order-id': id },
    body: JSON.stringify({ item }),
  });
const waiting = async () =>
  (await (await fetch(`${worker.url}orders/waiting`)).json()) as { waiting: number };

test('the Worker reads while its upstream is up, and gives the cached response while it is down', async () => {
  const read = async () => {
    const answer = await fetch(`${worker.url}orders`);
    await answer.text();
    return [answer.status, answer.headers.get('x-source')];
  };
  expect(await read()).toEqual([200, 'network']);
  await behave({ status: 503 });
  await expect.poll(read, { timeout: 60_000 }).toEqual([200, 'stale']);
  await control('heal', {});
  // Asked again: the cached response, which it confirms, or a new one.
  await expect.poll(async () => (await read())[1], { timeout: 60_000 }).toMatch(/^(network|cache)$/);
});

test('the Worker accepts an order while its upstream is down, delivers it once, and gives its answer', async () => {
  await behave({ status: 503 });
  const accepted = await give('tea');
  expect([accepted.status, await accepted.json()]).toEqual([202, { id: 'tea' }]);
  expect((await give('tea')).status).toBe(202);
  await control('heal', {});
  const result = await fetch(`${worker.url}orders/tea`);
  expect(result.status).toBe(201);
  await result.text();
  expect((await ledger()).map((entry) => [itemOf(entry), entry.applied])).toEqual([['tea', 1]]);
  expect(await waiting()).toMatchObject({ waiting: 0 });
});

test('the Worker tries what waits when its scheduled handler is called, however long that was to wait', async () => {
  await behave({ status: 503, retryAfter: '3600' });
  expect((await give('tea')).status).toBe(202);
  await expect.poll(async () => (await ledger()).length, { timeout: 60_000 }).toBe(1);
  await control('heal', {});
  expect((await fetch(`${worker.url}cdn-cgi/handler/scheduled`)).status).toBe(200);
  expect((await ledger()).map((entry) => [itemOf(entry), entry.applied])).toEqual([['tea', 1]]);
});

test(`the Worker is ended or killed ${RESTARTS} times, and of ${ORDERS} orders none is lost or applied twice`, async () => {
  await behave({ failRate: 0.3, failModes: [503, 'reset', 'unknown', 'unknown', 'resetBody'], seed: SEED });
  expect(processes()).toHaveLength(1);
  const accepted: string[] = [];
  let repeated = 0;
  for (let nth = 0; nth < ORDERS; nth++) {
    const item = `order-${nth}`;
    if (nth > 0 && nth % 20 === 0) {
      // In the middle of whatever it does.
      if (nth % 40 === 0) await worker.stop();
      else await kill();
      worker = await start();
    }
    // Who has no answer gives it again, under the same id.
    for (let tries = 0; ; tries++) {
      const answer = await give(item).catch(() => undefined);
      if (answer?.status === 202) break;
      repeated++;
      if (tries > 50) throw new Error(`${item} was not accepted: ${answer?.status} ${await answer?.text()}`);
      await new Promise((resolve) => setTimeout(resolve, 50 * chance(SEED, 'wait', tries)));
    }
    accepted.push(item);
  }
  await control('heal', {});
  await expect.poll(waiting, { timeout: 120_000, interval: 500 }).toMatchObject({ waiting: 0 });
  const entries = (await ledger()).filter(({ body }) => body !== null);
  const applied = new Map<string, number>();
  for (const entry of entries) applied.set(itemOf(entry), (applied.get(itemOf(entry)) ?? 0) + entry.applied);
  const seen = entries.reduce((sum, entry) => sum + entry.seen, 0);
  console.log(
    `${RESTARTS} restarts, ${accepted.length} orders accepted, ${repeated} given again, ${seen - applied.size} duplicates on the wire`,
  );
  expect(accepted.filter((item) => applied.get(item) !== 1)).toEqual([]);
  expect([...applied.keys()].sort()).toEqual([...accepted].sort());
}, 600_000);
