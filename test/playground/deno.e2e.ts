import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { deno } from '../../tools/runtimes/installed.ts';
import { counts, openWorld, orderOf, post, until, type World } from './deno-world.ts';

let world: World;
beforeEach(async () => {
  world = await openWorld();
});
afterEach(() => world.close());

describe.skipIf(!deno && !process.env.CI)('the server in Deno', () => {
  test('serves a cached response while its upstream is down, and delivers once what it accepts in that time', async () => {
    const server = await world.start();
    const tea = await post(server, { id: 'tea' });
    expect([tea.status, tea.headers.get('location')]).toEqual([201, '/orders/tea']);
    const fresh = await fetch(server.url);
    expect([fresh.status, fresh.headers.get('x-source')]).toEqual([200, 'network']);
    expect(await fresh.json()).toMatchObject([{ item: 'tea' }]);

    await world.control('vanish');
    const cached = await fetch(server.url);
    expect([cached.status, cached.headers.get('x-source')]).toEqual([200, 'stale']);
    expect(await cached.json()).toMatchObject([{ item: 'tea' }]);
    const bread = await post(server, { id: 'bread' });
    expect([bread.status, await bread.json()]).toEqual([202, { queued: true, id: 'bread' }]);
    expect((await post(server, { id: 'bread' })).status).toBe(202);
    expect(await counts(server)).toMatchObject({ waiting: 1, deadLetters: 0 });
    const notYet = await fetch(`${server.url}/bread`);
    expect([notYet.status, await notYet.json()]).toEqual([202, { queued: true, id: 'bread' }]);

    await world.control('return');
    await until('bread', 60_000, async () => (await fetch(`${server.url}/bread`)).status === 201);
    expect(await counts(server)).toMatchObject({ waiting: 0, deadLetters: 0 });
    const ledger = await world.ledger();
    expect(ledger.map((entry) => [orderOf(entry), entry.applied])).toEqual([
      ['tea', 1],
      ['bread', 1],
    ]);
    expect(await server.stop()).toBe(0);
  });

  test('serves its cached response and delivers what waits after it was ended and started again', async () => {
    const first = await world.start();
    await (await fetch(first.url)).json();
    await world.control('vanish');
    await post(first, { id: 'bread' });
    expect(await first.stop()).toBe(0);
    await expect(fetch(first.url)).rejects.toThrow();

    const second = await world.start();
    expect((await fetch(second.url)).headers.get('x-source')).toBe('stale');
    expect(await counts(second)).toMatchObject({ waiting: 1 });
    await world.control('return');
    // Who ends well has given its lanes back.
    await until('bread', 60_000, async () => (await counts(second)).waiting === 0);
    expect((await world.ledger()).map(({ applied }) => applied)).toEqual([1]);
    expect((await fetch(`${second.url}/bread`)).status).toBe(201);
  });

  test('hands on what the upstream says to an order, and knows no other', async () => {
    const server = await world.start();
    await world.control('behaviour', { match: { method: 'POST' }, behaviour: { status: 422 } });
    expect((await post(server, { id: 'odd' })).status).toBe(422);
    expect((await fetch(`${server.url}/odd`)).status).toBe(422);
    const unknown = await fetch(`${server.url}/nobody`);
    expect([unknown.status >= 400, await unknown.json()]).toMatchObject([true, { status: unknown.status }]);
    expect((await fetch(new URL('/elsewhere', server.url))).status).toBe(404);
  });

  test('is started beside its upstream, and ended with it, by one command', async () => {
    const started = spawn(process.execPath, [
      'playground/deno/start.ts',
      '--port',
      '0',
      '--upstream-port',
      '0',
    ]);
    started.stderr.pipe(process.stderr);
    const [url] = await once(createInterface(started.stdout), 'line');
    expect((await fetch(url)).status).toBe(200);
    const ended = once(started, 'exit');
    started.kill('SIGINT');
    expect(await ended).toEqual([0, null]);
    await expect(fetch(url)).rejects.toThrow();
  });
});
