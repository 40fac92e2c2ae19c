import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { beforeEach, describe, expect, test } from 'vitest';
import { FROM_SOURCE, type RunningServer, startDeno } from '../../playground/deno/run.ts';
import { deno } from '../../tools/runtimes/installed.ts';
import { type Shop, startShop } from '../recipes/origin.ts';

/** A killed process has the lane of its writes for up to 30 s. */
const PATIENTLY = { timeout: 90_000, interval: 100 };

const example = (file: string): string =>
  fileURLToPath(new URL(`../../examples/deno-proxy/${file}`, import.meta.url));

/** What a task of deno.json runs, with the library from its source. */
async function argumentsOf(task: 'start' | 'check', ...flags: string[]): Promise<string[]> {
  const { tasks } = JSON.parse(await readFile(example('deno.json'), 'utf8'));
  const [program, command = '', ...args] = tasks[task].split(' ');
  expect(program).toBe('deno');
  const here = args.map((arg: string) => (arg === 'main.ts' ? example(arg) : arg));
  return [command, '--no-lock', ...flags, `--import-map=${FROM_SOURCE}`, ...here];
}

/** The library's own, by which its sources find their dependencies. */
const CONFIG = `--config=${fileURLToPath(new URL('../../deno.json', import.meta.url))}`;

describe.skipIf(!deno && !process.env.CI)('the proxy of deno-proxy', () => {
  let shop: Shop;
  let start: () => Promise<RunningServer>;
  beforeEach(async () => {
    shop = await startShop();
    const folder = await mkdtemp(join(tmpdir(), 'holdfast-deno-proxy-'));
    const running = new Set<RunningServer>();
    start = async () => {
      const proxy = await startDeno(await argumentsOf('start', CONFIG), {
        cwd: folder,
        env: { UPSTREAM: shop.url, PORT: '0', DATABASE: './proxy.db' },
      });
      running.add(proxy);
      return proxy;
    };
    return async () => {
      await Promise.all([...running].map((proxy) => proxy.stop('SIGKILL')));
      await shop.close();
      await rm(folder, { recursive: true, force: true });
    };
  });

  const read = async ({ url }: RunningServer, path = '/orders') => {
    const response = await fetch(`${url}${path}`);
    return [response.status, response.headers.get('holdfast-source'), await response.json()];
  };
  const order = async ({ url }: RunningServer, id: string): Promise<[number, string | null]> => {
    const response = await fetch(`${url}/orders`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'idempotency-key': id },
      body: JSON.stringify({ item: id }),
    });
    await response.text();
    return [response.status, response.headers.get('location')];
  };
  const counts = async ({ url }: RunningServer) => (await fetch(`${url}/accepted`)).json();
  const delivered = async () =>
    (await shop.ledger())
      .toSorted((a, b) => (a.nth ?? 0) - (b.nth ?? 0))
      .map(({ body, applied }) => [JSON.parse(`${body}`).item, applied]);

  test('compiles in Deno', async () => {
    const printed = await promisify(execFile)(deno ?? 'deno', await argumentsOf('check', '--no-config'), {
      env: { ...process.env, NO_COLOR: '1' },
    }).catch(({ stderr }) => stderr);
    // The sources of the library compile elsewhere, with the types of a browser.
    expect(String(printed)).not.toContain(example(''));
  });

  test('returns the response of the upstream, and the cached response when the upstream is gone', async () => {
    const proxy = await start();
    expect(await order(proxy, 'tea')).toEqual([201, '/accepted/tea']);
    expect(await read(proxy)).toMatchObject([200, null, [{ item: 'tea' }]]);
    expect((await read(proxy, '/orders/none'))[0]).toBe(404);
    await shop.vanish();
    expect(await read(proxy)).toMatchObject([200, 'stale', [{ item: 'tea' }]]);
    expect(await read(proxy, '/orders/other')).toMatchObject([502, 'fallback', { category: 'network' }]);
    expect(await proxy.stop()).toBe(0);
  });

  test('asks no host but the upstream, whatever the path', async () => {
    const asked: unknown[] = [];
    const other = createServer(({ url }, response) => {
      asked.push(url);
      response.end('{}');
    }).listen(0, '127.0.0.1');
    await once(other, 'listening');
    const proxy = await start();
    const { port } = other.address() as AddressInfo;
    await (await fetch(`${proxy.url}//127.0.0.1:${port}/orders`)).text();
    expect(asked).toEqual([]);
    await proxy.stop();
    other.close();
  });

  test('delivers what it has accepted once and in order, also after it was killed', async () => {
    const killed = await start();
    await shop.vanish();
    const ids = ['tea', 'bread', 'milk', 'salt', 'rice'];
    for (const id of ids) expect(await order(killed, id)).toEqual([202, `/accepted/${id}`]);
    expect((await order(killed, 'tea'))[0]).toBe(202);
    await killed.stop('SIGKILL');

    const next = await start();
    expect(await counts(next)).toMatchObject({ waiting: 5, deadLetters: 0 });
    expect(await read(next, '/accepted/rice')).toMatchObject([202, null, { queued: true }]);
    await shop.heal();
    await expect.poll(() => counts(next), PATIENTLY).toMatchObject({ waiting: 0, deadLetters: 0 });
    expect(await delivered()).toEqual(ids.map((id) => [id, 1]));
    expect((await read(next, '/accepted/rice')).slice(0, 1)).toEqual([201]);
    expect(await next.stop()).toBe(0);
  });

  test('delivers once what it was sending when it was killed', async () => {
    const killed = await start();
    await shop.behave({ unknown: true, hang: true });
    expect((await order(killed, 'tea'))[0]).toBe(202);
    await expect.poll(async () => (await shop.ledger()).length, PATIENTLY).toBe(1);
    await killed.stop('SIGKILL');
    await shop.heal();
    const next = await start();
    await expect.poll(() => counts(next), PATIENTLY).toMatchObject({ waiting: 0, deadLetters: 0 });
    expect(await delivered()).toEqual([['tea', 1]]);
  });
});
