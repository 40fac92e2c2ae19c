import { request } from 'node:http';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { SUBJECTS } from '../../contracts/handed-on.ts';
import { sideBySide } from '../side-by-side.ts';
import { type Server, servers } from './servers.ts';
import { MEGABYTE, SLOW, startUpstream, type Upstream, ZIPPED } from './upstream.ts';

/** The subjects with a store. */
const STORING = ['staleCache', 'everything'] as const;
const POLL = { timeout: 60_000, interval: 20 };

interface State {
  readonly slots: readonly number[];
  readonly stored: Readonly<Record<(typeof STORING)[number], readonly string[]>>;
  readonly memory?: number;
}

sideBySide('a response that a handler returns unread, in $name', servers, ({ name, missing, start }) => {
  const here = test.skipIf(missing !== undefined && !process.env.CI);
  let upstream: Upstream;
  let server: Server;

  beforeAll(async () => {
    upstream = await startUpstream();
    if (missing && !process.env.CI) return;
    server = await start(upstream.url);
  });
  afterAll(async () => {
    await server?.close();
    await upstream?.close();
  });

  const at = (subject: string, path: string): string => `${server.url}/${encodeURIComponent(subject)}${path}`;
  // On a connection of its own: one that broke off says nothing about the state.
  const state = async (): Promise<State> => JSON.parse(await alone(`${server.url}/state`));

  describe.each(SUBJECTS)('a fetch with %s', (subject) => {
    here('a response arrives whole, more often than there are slots', async ({ expect }) => {
      for (let call = 0; call < 6; call++) {
        const response = await fetch(at(subject, '/text'));
        expect([response.status, response.headers.get('content-type'), await response.text()]).toEqual([
          200,
          'text/plain',
          'hello',
        ]);
      }
      await expect
        .poll(async () => (await state()).slots.filter((inFlight) => inFlight > 0), POLL)
        .toEqual([]);
    });

    here('a slow body arrives whole, even if only the platform holds it', async () => {
      expect(await (await fetch(at(subject, '/slow'))).text()).toBe(SLOW);
    });

    here('a response without a body and an error response keep their status', async () => {
      const expected = { '/none': [204, ''], '/unchanged': [304, ''], '/missing': [404, 'missing'] };
      for (const [path, outcome] of Object.entries(expected)) {
        const response = await fetch(at(subject, path));
        expect([response.status, await response.text()]).toEqual(outcome);
      }
      const head = await fetch(at(subject, '/text'), { method: 'HEAD' });
      expect([head.status, head.headers.get('content-type'), await head.text()]).toEqual([
        200,
        'text/plain',
        '',
      ]);
    });
  });

  describe.each(['bulkhead', ...STORING])('a fetch with %s', (subject) => {
    here('a response is decoded once', async () => {
      expect(await (await fetch(at(subject, '/gzip'))).text()).toBe(ZIPPED);
    });

    here('a response of 100 MB does not grow the memory', async () => {
      const { memory: before = 0 } = await state();
      const { body } = await fetch(at(subject, '/large'));
      let [length, most] = [0, 0];
      for await (const chunk of body ?? []) {
        if (length % (10 * MEGABYTE) < chunk.length) most = Math.max(most, (await state()).memory ?? 0);
        length += chunk.length;
      }
      expect(length).toBe(100 * MEGABYTE);
      expect(most - before).toBeLessThan(60 * MEGABYTE);
    });

    here(
      'a response is cancelled when its client disconnects, releases its slot, and is not stored',
      async ({ expect }) => {
        for (let call = 0; call < 3; call++) await leave(at(subject, '/endless'));
        await expect.poll(() => upstream.underWay(), POLL).toBe(0);
        const response = await fetch(at(subject, '/text'));
        expect([response.status, await response.text()]).toEqual([200, 'hello']);
        expect(Object.values((await state()).stored).flat()).not.toContain('/endless');
      },
    );
  });

  // Deno and Bun upgrade by functions of their own.
  test.runIf(name === 'workerd').each(['bulkhead', ...STORING])(
    'a response upgrades to a WebSocket by a fetch with %s',
    async (subject) => {
      const socket = new WebSocket(at(subject, '/socket').replace('http:', 'ws:'));
      const message = await new Promise((done, fail) => {
        socket.onmessage = ({ data }) => done(data);
        socket.onerror = fail;
      });
      socket.close();
      expect(message).toBe('hello');
    },
  );

  here.for(STORING)('is stored by a fetch with %s, once it has been sent', async (subject, { expect }) => {
    await (await fetch(at(subject, '/text'))).text();
    await expect.poll(async () => (await state()).stored[subject], POLL).toContain('/text');
  });

  here.each(STORING)('is not stored by a fetch with %s if it breaks off', async (subject) => {
    const ended = await fetch(at(subject, '/cut'))
      .then((response) => response.text())
      .catch((error) => error);
    // Only the connection shows a missing part of a body.
    expect(name === 'workerd' || ended instanceof Error).toBe(true);
    expect((await state()).stored[subject]).not.toContain('/cut');
  });
});

function alone(url: string): Promise<string> {
  return new Promise((done, fail) => {
    request(url, { agent: false }, (response) => text(response).then(done, fail))
      .once('error', fail)
      .end();
  });
}

/** Reads some of a body and closes the connection. */
function leave(url: string): Promise<void> {
  return new Promise((done, fail) => {
    const asking = request(url, { agent: false }, (response) => {
      response.once('data', () => {
        response.once('error', () => {});
        asking.destroy();
        done();
      });
    });
    asking.once('error', fail);
    asking.end();
  });
}
