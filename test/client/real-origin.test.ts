import { describe, expect, test } from 'vitest';
import { staleCache } from '../../src/client/default-stores.ts';
import { createFetch } from '../../src/client/fetch.ts';
import { isQueued, sourceOf } from '../../src/core/outcome.ts';
import { outboxPolicy } from '../../src/policies/outbox/outbox.ts';
import { memoryStore } from '../../src/stores/memory.ts';
import { originUrl, otherOriginUrl } from '../support/origin-url.ts';

const unique = (): string => crypto.randomUUID();

const url = (path: string): string => `${originUrl()}${path}`;

const ledger = async (
  path: string,
): Promise<{ key: string; applied: number; seen: number; body: string }[]> =>
  (await globalThis.fetch(url(`/control/ledger?path=${path}`))).json();

/** The promises once more, against a real server on a real network stack, in every runtime. */
describe('an origin that misbehaves', () => {
  test('retry repeats an attempt that is late', async () => {
    const fetch = createFetch({ timeout: '2s', retry: { delay: () => 1, retryOnTimeout: true } });
    const response = await fetch(url(`/echo?sequence=hang,ok&key=${unique()}`));
    expect(response.status).toBe(200);
    await response.text();
    await fetch.close();
  });

  test('retry repeats an attempt that is reset', async () => {
    const fetch = createFetch({ retry: { delay: () => 1 } });
    const response = await fetch(url(`/echo?sequence=reset,ok&key=${unique()}`));
    expect(response.status).toBe(200);
    await response.text();
    await fetch.close();
  });

  test('the idle limit ends a body that stalls, and closes the connection', async () => {
    const fetch = createFetch({ timeout: { idle: '200ms' } });
    const path = `/echo/${unique()}`;
    const response = await fetch(url(`${path}?size=1000&stall=10`));
    await expect(response.text()).rejects.toMatchObject({ name: 'TimeoutError', code: 'timeout-idle' });
    let ended: string | null = null;
    for (let look = 0; look < 50 && ended === null; look++) {
      const { requests } = (await (await globalThis.fetch(url(`/control/requests?path=${path}`))).json()) as {
        requests: { ended: string | null }[];
      };
      ended = requests[0]?.ended ?? null;
      await new Promise((done) => setTimeout(done, 20));
    }
    expect(ended).toBe('client-aborted');
    await fetch.close();
  });

  test('Retry-After ends the retries if CORS exposes it', async () => {
    const events: string[] = [];
    const fetch = createFetch({ retry: { delay: () => 1 }, onEvent: ({ type }) => void events.push(type) });
    const response = await fetch(url('/echo?status=503&retryAfter=3600'));
    expect(response.status).toBe(503);
    expect(events).toContain('retry-abandoned');
    await response.text();
    await fetch.close();
  });

  test('the stale cache serves the last good response while the origin is away', async () => {
    const fetch = createFetch({
      partition: unique(),
      staleCache: staleCache({ store: memoryStore() }),
      retry: 0,
    });
    const target = url(`/echo?sequence=ok,503&key=${unique()}`);
    const first = await (await fetch(target)).text();
    let cached = await fetch(target);
    for (let look = 0; look < 50 && sourceOf(cached) !== 'stale'; look++) {
      await cached.text();
      await new Promise((done) => setTimeout(done, 5));
      cached = await fetch(target);
    }
    expect([sourceOf(cached), cached.url, await cached.text()]).toEqual(['stale', target, first]);
    await fetch.close();
  });
});

describe('a queued write', () => {
  const queueing = () => {
    const name = unique();
    const outbox = outboxPolicy({ store: memoryStore(), backoffLimit: 1 }, memoryStore);
    return { outbox, fetch: createFetch({ name, partition: name, outbox }) };
  };

  test('a queued write whose response was lost is applied once, because the key goes with it again', async () => {
    const { outbox, fetch } = queueing();
    const path = `/write/${unique()}`;
    const id = unique();
    // Chromium and Firefox send again by themselves if a reused connection was reset; others leave
    // it to us.
    const response = await fetch(url(`${path}?sequence=unknown,ok&key=${id}`), {
      method: 'POST',
      body: 'order',
      headers: { 'content-type': 'text/plain' },
      holdfast: { outbox: { id } },
    });
    expect([201, 202]).toContain(response.status);
    const result = outbox.result(id);
    await outbox.flush();
    expect((await result).status).toBe(201);
    const writes = await ledger(path);
    expect(writes.map(({ applied, body }) => [applied, body])).toEqual([[1, 'order']]);
    expect(writes[0]?.seen).toBeGreaterThanOrEqual(2);
    await fetch.close();
  });

  test('a captive portal delivers no queued write', async () => {
    const { outbox, fetch } = queueing();
    const portal = `${otherOriginUrl()}/portal?portal=1`;
    const target = url(`/write/${unique()}?redirect=${encodeURIComponent(portal)}&redirectStatus=302`);
    const response = await fetch(target, { method: 'POST', body: 'order', holdfast: { outbox: true } });
    expect(isQueued(response)).toBe(true);
    expect(await outbox.entries()).toMatchObject([{ state: 'waiting' }]);
    await fetch.close();
  });

  test('queued writes in several lanes arrive in order in each', async () => {
    const { outbox, fetch } = queueing();
    const path = `/write/${unique()}`;
    await Promise.all(
      Array.from({ length: 12 }, (_, n) =>
        fetch(url(path), {
          method: 'POST',
          body: `${n % 3} ${n}`,
          headers: { 'content-type': 'text/plain' },
          holdfast: { outbox: { lane: `lane ${n % 3}` } },
        }),
      ),
    );
    await outbox.flush();
    const bodies = (await ledger(path)).map(({ body }) => body);
    expect(bodies).toHaveLength(12);
    for (const lane of ['0', '1', '2']) {
      const numbers = bodies.filter((body) => body.startsWith(lane)).map((body) => Number(body.slice(2)));
      expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
    }
    await fetch.close();
  });
});
