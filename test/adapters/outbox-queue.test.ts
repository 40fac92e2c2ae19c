import { describe, expect, test } from 'vitest';
import { createFetch } from '../../src/client/fetch.ts';
import {
  type OutboxQueueOptions,
  outboxQueue,
  type QueuedWrite,
  type QueueMessage,
} from '../../src/cloudflare.ts';
import { fallback } from '../../src/policies/fallback.ts';
import { strategies } from '../../src/policies/strategies.ts';
import { isFailure } from '../../src/primitives/failure.ts';
import { memoryStore } from '../../src/stores/memory.ts';
import {
  macrotask,
  networkError,
  ok,
  type ScriptedOrigin,
  scriptedOrigin,
  status,
  testHost,
} from '../../src/testing.ts';
import { durableStore } from '../support/durable.ts';

const URL_ = 'https://api.example.com/orders';

/** The outcome of a message: seconds until it comes again, or `'acked'`. */
type Outcome = 'acked' | number;

/** As Cloudflare's: it copies messages, and delivers each again until it is acknowledged. */
class Queue {
  readonly sent: unknown[] = [];
  isBroken = false;

  async send(message: unknown): Promise<void> {
    if (this.isBroken) throw new Error('Queue sendBatch failed: Too Many Requests');
    this.sent.push(structuredClone(message));
  }

  /** All messages as one batch. */
  batch(attempts = 1, queue = 'orders') {
    const outcomes: Outcome[] = [];
    const messages = this.sent.map(
      (body, at): QueueMessage => ({
        body,
        attempts,
        ack() {
          outcomes[at] = 'acked';
        },
        retry({ delaySeconds = 0 } = {}) {
          outcomes[at] = delaySeconds;
        },
      }),
    );
    return { batch: { queue, messages }, outcomes };
  }
}

function world(own: Partial<OutboxQueueOptions> & { pipeline?: object } = {}) {
  const { pipeline = {}, ...options } = own;
  const host = testHost();
  const origin: ScriptedOrigin = scriptedOrigin(host.clock);
  const queue = new Queue();
  const letters: { write: QueuedWrite; body: string; key: string | null; id: string | undefined }[] = [];
  const fetch = createFetch({ host, fetch: origin.fetch, breaker: false, ...pipeline });
  const box = outboxQueue({
    queue,
    fetch,
    host,
    deadLetters: (write) => ({
      async accept(request, { id } = {}) {
        letters.push({ write, body: await request.text(), key: request.headers.get('idempotency-key'), id });
        return { id: id ?? '' };
      },
    }),
    ...options,
  });
  const write = (body: BodyInit = 'one', init: RequestInit = {}) =>
    box.accept(new Request(URL_, { method: 'POST', body, ...init }), { id: 'a', partition: 'ann' });
  const consumed = async (attempts?: number, name?: string): Promise<Outcome[]> => {
    const { batch, outcomes } = queue.batch(attempts, name);
    await box.consume(batch);
    return outcomes;
  };
  return { box, queue, origin, letters, host, write, consumed, fetch };
}

describe('a queued write', () => {
  test.each<[string, () => BodyInit, RegExp]>([
    ['text', () => 'one ä', /^one ä$/],
    ['bytes', () => new Uint8Array([111, 110, 101]), /^one$/],
    ['a form', () => form(), /name="field"[\s\S]+content of the field/],
    ['a blob', () => new Blob(['one'], { type: 'text/x' }), /^one$/],
  ])('a queued write is sent with %s, its headers and a key, and acknowledged', async (_, body, arrives) => {
    const { write, consumed, origin, queue } = world();
    expect(await write(body(), { headers: { accept: 'text/plain' } })).toEqual({ id: 'a' });
    expect(queue.sent).toHaveLength(1);
    expect(await consumed()).toEqual(['acked']);
    const [seen] = origin.seen;
    expect([seen?.method, seen?.url]).toEqual(['POST', URL_]);
    expect(seen?.headers.get('accept')).toBe('text/plain');
    expect(seen?.headers.get('idempotency-key')).toMatch(/^"\w+"$/);
    expect(seen?.body).toMatch(arrives);
  });

  test('a queued write has the same key at each delivery, which may be the application’s own', async () => {
    const { write, consumed, origin } = world();
    await write('one', { headers: { 'idempotency-key': '"mine"' } });
    await consumed();
    await consumed();
    expect(origin.seen.map(({ headers }) => headers.get('idempotency-key'))).toEqual(['"mine"', '"mine"']);
  });

  test('a queued write has the same key if its caller repeats it with its id, and another than that of another user', async () => {
    const { box, queue } = world();
    for (const partition of ['ann', 'ann', 'bob'])
      await box.accept(new Request(URL_, { method: 'POST', body: 'one' }), { id: 'order 1', partition });
    const [first, again, other] = (queue.sent as QueuedWrite[]).map(({ idempotencyKey }) => idempotencyKey);
    expect(first).toMatch(/^"[0-9a-f]{64}"$/);
    expect(again).toBe(first);
    expect(other).not.toBe(first);
  });

  test('a queued write keeps the headers of persistHeaders, however they are written, and no credentials', async () => {
    const { write, consumed, origin } = world({ persistHeaders: ['X-Tenant'] });
    await write('one', { headers: { 'X-Tenant': 'seven' } });
    await consumed();
    expect(origin.seen[0]?.headers.get('x-tenant')).toBe('seven');
    expect(() => world({ persistHeaders: ['Authorization'] })).toThrow('outboxQueue.persistHeaders');
    expect(() => world({ idempotencyHeader: 'X-Api-Key' })).toThrow('outboxQueue.idempotencyHeader');
  });

  test('a queued write has its key, also if authorize makes a new request', async () => {
    const { write, consumed, origin } = world({
      authorize: (request) => new Request(request, { headers: { authorization: 'Bearer new' } }),
    });
    await write();
    await consumed();
    await consumed();
    const keys = origin.seen.map(({ headers }) => headers.get('idempotency-key'));
    expect(keys).toEqual([expect.stringMatching(/^"\w+"$/), keys[0]]);
  });

  test('a queued write gets its credentials from authorize, and is rejected without one', async () => {
    const headers = { authorization: 'Bearer old', 'x-tenant': 'seven' };
    const { write, consumed, origin, queue } = world({
      persistHeaders: ['x-tenant'],
      authorize: (request, { partition }) => request.headers.set('authorization', `Bearer of ${partition}`),
    });
    await write('one', { headers });
    expect(JSON.stringify(queue.sent)).not.toContain('Bearer');
    await consumed();
    const given = origin.seen[0]?.headers;
    expect([given?.get('authorization'), given?.get('x-tenant')]).toEqual(['Bearer of ann', 'seven']);
    await expect(world().write('one', { headers })).rejects.toThrow('outbox.authorize');
  });
});

function form(): FormData {
  const data = new FormData();
  data.append('field', 'content of the field');
  return data;
}

describe('a message of the queue', () => {
  test.each<[string, () => Response | ReturnType<typeof networkError>, [number, number], attempts?: number]>([
    ['after 503 within 2 s at first', () => status(503), [0, 2]],
    ['after 503 within a minute at its sixth try', () => status(503), [0, 64], 6],
    ['after 503 within 15 min whenever', () => status(503), [0, 900], 90],
    ['when the origin says', () => status(429, { 'retry-after': '120' }), [120, 121]],
    ['after half a day at the latest', () => status(503, { 'retry-after': '999999' }), [43_200, 43_200]],
    ['after the network failed', networkError, [0, 2]],
    ['while its key is in process', () => status(409), [0, 4], 2],
  ])('a message comes again %s', async (_, step, [least, most], attempts = 1) => {
    const { write, consumed, origin, letters } = world();
    await write();
    origin.otherwise(step() as never);
    const [delay] = await consumed(attempts);
    expect(delay).toBeGreaterThanOrEqual(least);
    expect(delay).toBeLessThanOrEqual(most);
    expect(letters).toEqual([]);
  });

  test('a message comes again when the circuit is half-open, and nothing is sent before', async () => {
    const { write, consumed, origin } = world({ pipeline: { breaker: { failures: 1, openFor: '40s' } } });
    await write();
    origin.otherwise(() => status(503));
    await consumed();
    const [delay] = await consumed();
    expect(origin.seen).toHaveLength(1);
    expect(delay).toBeGreaterThan(20);
  });

  test.each<[string, number, attempts?: number]>([
    ['is rejected for good', 422],
    ['lacks credentials', 401],
    ['is in conflict', 412],
    ['is in conflict for the third time', 409, 3],
  ])(
    'a message whose write %s becomes a dead letter, unchanged and under its key',
    async (_, code, attempts = 1) => {
      const { write, consumed, origin, letters } = world();
      await write();
      origin.otherwise(() => status(code));
      expect(await consumed(attempts)).toEqual(['acked']);
      const key = origin.seen[0]?.headers.get('idempotency-key');
      expect(letters).toMatchObject([{ id: 'a', body: 'one', key, write: { partition: 'ann' } }]);
    },
  );

  test.each<[string, object]>([
    ['skip', { strategies: strategies({ network: 'skip' }) }],
    ['a fallback', { fallback: fallback({}, { methods: ['GET', 'POST'] }) }],
  ])('a message stays in the queue if its write was not sent, also if fetch has %s', async (_, pipeline) => {
    const { write, consumed, origin } = world({ pipeline });
    await write();
    origin.otherwise(networkError());
    expect(await consumed()).toEqual([expect.any(Number)]);
  });

  test('a message stays in the queue if the dead letters cannot be reached', async () => {
    const { write, consumed, origin } = world({
      deadLetters: () => ({ accept: () => Promise.reject(new Error('Durable Object is overloaded')) }),
    });
    await write();
    origin.otherwise(() => status(422));
    expect(await consumed()).toEqual([expect.any(Number)]);
  });

  test('a message of the dead-letter queue is sent by the dead letters alone', async () => {
    const { write, consumed, origin, letters } = world({ deadLetterQueue: 'orders-dead' });
    await write();
    expect(await consumed(1, 'orders-dead')).toEqual(['acked']);
    expect(origin.seen).toEqual([]);
    expect(letters).toHaveLength(1);
  });

  test('a foreign message is left to the platform', async () => {
    const { queue, consumed, origin, letters } = world();
    queue.sent.push('text', undefined, null, { holdfast: 'of another kind' });
    expect(await consumed()).toEqual([0, 0, 0, 0]);
    expect([origin.seen.length, letters.length]).toEqual([0, 0]);
  });

  test('a message of another version waits for that version', async () => {
    const { queue, consumed, origin, letters } = world();
    queue.sent.push({ holdfast: 2 }, { holdfast: 1 });
    expect(await consumed()).toEqual([900, 900]);
    expect([origin.seen.length, letters.length]).toEqual([0, 0]);
  });

  test('a message that fails does not delay the others, of which six are sent at once', async () => {
    const { write, consumed, origin, queue, host } = world();
    for (let times = 0; times < 20; times++) await write();
    queue.sent.splice(3, 0, null);
    const six = Promise.withResolvers<void>();
    let nth = 0;
    let open = 0;
    let most = 0;
    const respond = async (): Promise<Response> => {
      const isBad = ++nth === 7;
      most = Math.max(most, ++open);
      if (open === 6) six.resolve();
      await six.promise;
      await macrotask();
      open--;
      return isBad ? status(500) : ok('thanks');
    };
    // Time stands still during the sendings.
    origin.otherwise(() => host.clock.busy(respond()));
    const outcomes = await consumed();
    expect(outcomes.filter((outcome) => outcome === 'acked')).toHaveLength(19);
    expect(most).toBe(6);
  });
});

describe('a body outside its message', () => {
  const large = new Uint8Array(200_000).map((_, at) => at % 128);

  test('a body that is too large for a message lies in a store until the write is acknowledged', async () => {
    const bodies = memoryStore();
    const { write, consumed, origin, queue } = world({ bodies });
    await write(large);
    expect(JSON.stringify(queue.sent).length).toBeLessThan(2_000);
    expect(await bodies.range({})).toHaveLength(1);
    expect(await consumed()).toEqual(['acked']);
    expect(origin.seen[0]?.body).toBe(new TextDecoder().decode(large));
    expect(await bodies.range({})).toEqual([]);
  });

  test('a write waits for a body that is not stored yet', async () => {
    const bodies = durableStore();
    const { write, consumed, origin } = world({ bodies });
    await write(large);
    const [item] = await bodies.rangeWithBodies({});
    await bodies.write([{ delete: item?.key as string }]);
    expect(await consumed()).toEqual([expect.any(Number)]);
    expect(origin.seen).toEqual([]);
    await bodies.write([{ put: { key: item?.key as string, value: 'a' }, body: item?.body }]);
    expect(await consumed()).toEqual(['acked']);
  });

  test('a body above every limit is rejected as too large', async () => {
    await expect(world().write(large)).rejects.toMatchObject({ code: 'too-large' });
    await expect(world({ maxEntryBytes: 1_000, bodies: memoryStore() }).write(large)).rejects.toMatchObject({
      code: 'too-large',
    });
  });

  test.each(['queue', 'bodies'] as const)('a body is removed if the %s rejected the write', async (what) => {
    const bodies = durableStore();
    const { write, queue } = world({ bodies });
    if (what === 'queue') queue.isBroken = true;
    else bodies.break('fail');
    const error: unknown = await write(large).catch((reason) => reason);
    expect(isFailure(error) && [error.category, error.name]).toEqual(['storage', 'StorageError']);
    bodies.heal();
    expect(await bodies.range({})).toEqual([]);
    expect(queue.sent).toEqual([]);
  });
});

test.each<[string, object]>([
  ['outboxQueue.queue: undefined is not allowed; expected the binding of a queue', { queue: undefined }],
  ['outboxQueue.queue: {} is not allowed; expected the binding of a queue; it lacks send', { queue: {} }],
  ['outboxQueue.fetch: undefined is not allowed; expected what createFetch() gives', { fetch: undefined }],
  ['outboxQueue.deadLetters: undefined is not allowed; expected a function', { deadLetters: undefined }],
  ['outboxQueue.bodies', { bodies: {} }],
  ['outboxQueue.maxRetries', { maxRetries: 3 }],
])('an impossible option throws an error: %s', (message, own) => {
  expect(() => world(own as never)).toThrow(message);
});

test('an invalid write throws an error, and the queue receives nothing', async () => {
  const { box, queue } = world();
  const request = new Request(URL_, { method: 'POST', body: 'one' });
  await expect(box.accept(URL_ as never)).rejects.toThrow('outboxQueue.accept.request');
  await expect(box.accept(request, { ids: 'a' } as never)).rejects.toThrow('outboxQueue.accept.ids');
  await expect(box.accept(request, { id: 7 as never })).rejects.toThrow('outboxQueue.accept.id: 7');
  await request.text();
  await expect(box.accept(request)).rejects.toThrow(TypeError);
  expect(queue.sent).toEqual([]);
});
