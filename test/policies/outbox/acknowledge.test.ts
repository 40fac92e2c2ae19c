/**
 * The store commits the acknowledgement of an entry before the outbox sends the next one of its
 * lane.
 */
import { describe, expect, test } from 'vitest';
import type { OutboxOptions } from '../../../src/policies/outbox/options.ts';
import { ok, status } from '../../../src/testing.ts';
import { durableStore } from '../../support/durable.ts';
import { type Page, POST, page, settle, URL_ } from '../../support/outbox-page.ts';

/** A page, offline, whose store can delay its changes, or the first of them. */
function slowPage(
  options: OutboxOptions = {},
): Page & { hold: (changes?: number) => void; letGo: () => void } {
  const store = durableStore();
  const made = page(options, store);
  const { change } = store;
  let gate: Promise<void> | undefined;
  let waiting = 0;
  let most = Infinity;
  let letGo = (): void => {};
  store.change = async (...args) => {
    const [keys] = args as Parameters<typeof change>;
    // Without locks the page needs the lane first.
    if (gate && !keys[0]?.startsWith('lease') && waiting++ < most) await made.clock.busy(gate);
    return change(...(args as Parameters<typeof change>)) as never;
  };
  made.host.connectivity.set(false);
  return {
    ...made,
    hold(changes = Infinity) {
      most = changes;
      gate = new Promise((resolve) => {
        letGo = resolve;
      });
    },
    letGo: () => letGo(),
  };
}

const give = async ({ fetch }: Page, bodies: readonly string[], outbox: object = {}): Promise<void> => {
  for (const body of bodies) await fetch(URL_, { ...POST, body, holdfast: { outbox } });
};

/** A change of an entry and of the totals. */
const isAcknowledgement = (keys: readonly string[]): boolean =>
  ['entry', 'totals'].every((kind) => keys.some((key) => key.startsWith(kind)));

const bodies = (count: number): string[] => Array.from({ length: count }, (_, nth) => `${nth}`);

/** The bodies that the origin has received, in order. */
const seen = ({ origin }: Page): Promise<string[]> =>
  Promise.all(origin.seen.map(({ body }) => new Response(body as BodyInit).text()));

/** Sends as far as the outbox allows without an acknowledgement. */
async function sendAhead(slow: ReturnType<typeof slowPage>, changes?: number): Promise<void> {
  slow.hold(changes);
  slow.host.connectivity.set(true);
  for (let turn = 0; turn < 10; turn++) await settle();
}

describe('a disk that is slower than the origin', () => {
  test.each<[string, OutboxOptions, object]>([
    ['with the defaults', {}, {}],
    ['with blockLaneOnFailure', {}, { blockLaneOnFailure: true }],
    ['at-most-once', {}, { delivery: 'at-most-once' }],
    ['without a key', { idempotencyHeader: false }, {}],
  ])('the next entry is not sent before the acknowledgement: %s', async (_, options, own) => {
    const slow = slowPage(options);
    await give(slow, bodies(3), own);
    await sendAhead(slow);
    expect(slow.origin.seen.length).toBeLessThan(2);
    slow.letGo();
    await slow.outbox.flush();
    expect(await seen(slow)).toEqual(bodies(3));
  });

  test('an at-most-once entry does not bring back the entries before it', async () => {
    const slow = slowPage({
      onConflict: (_, __, request) => new Request(request, { method: 'PUT', body: 'mended' }),
    });
    await give(slow, ['a', 'b', 'c']);
    slow.origin.replies(ok(), status(412), ok(), ok());
    await sendAhead(slow, 1);
    slow.letGo();
    await slow.outbox.flush();
    expect(await seen(slow)).toEqual(['a', 'b', 'mended', 'c']);
  });

  test('flush() resolves after the acknowledgement', async () => {
    const slow = slowPage();
    await give(slow, ['a', 'b']);
    await sendAhead(slow);
    const report = slow.outbox.flush();
    await settle();
    slow.letGo();
    expect(await report).toEqual({ total: 2, delivered: 2, deadLetters: 0, left: 0 });
  });
});

test('an entry that cannot be acknowledged stops its lane', async () => {
  const store = durableStore();
  const made = page({}, store);
  made.host.connectivity.set(false);
  await give(made, bodies(200));
  const { change } = store;
  // Without locks the page needs the lane first.
  store.change = ((...args: Parameters<typeof change>) =>
    args[0][0]?.startsWith('lease')
      ? change(...args)
      : Promise.reject(new DOMException('it is gone', 'UnknownError'))) as typeof change;
  made.host.connectivity.set(true);
  await settle();
  expect(made.origin.seen).toHaveLength(1);
  expect(made.emitted('store-failed')).toMatchObject([{ operation: 'drain' }]);
  store.change = change;
  await made.outbox.flush();
  const applied = new Set(made.origin.seen.map(({ headers }) => headers.get('idempotency-key')));
  expect(applied.size).toBe(200);
});

test('an entry that is coalesced while its lane is sent keeps its place', async () => {
  const made = page();
  made.host.connectivity.set(false);
  await give(made, ['a', 'b', 'c']);
  await give(made, ['cart 1'], { coalesce: { key: 'cart' } });
  await give(made, ['d']);
  made.origin.replies(ok(), ok(), async () => {
    await give(made, ['cart 2'], { coalesce: { key: 'cart' } });
    return ok();
  });
  made.host.connectivity.set(true);
  await made.outbox.flush();
  expect(await seen(made)).toEqual(['a', 'b', 'c', 'cart 2', 'd']);
});

test.each<[string, OutboxOptions, object]>([
  ['with the defaults', {}, {}],
  ['with blockLaneOnFailure', {}, { blockLaneOnFailure: true }],
  ['at-most-once', { delivery: 'at-most-once' }, {}],
  ['without a key', { idempotencyHeader: false }, {}],
])('an entry is acknowledged once, with strict durability: %s', async (_, options, own) => {
  const store = durableStore();
  const made = page(options, store);
  made.host.connectivity.set(false);
  await give(made, ['a'], own);
  const { change } = store;
  const commits: (boolean | undefined)[] = [];
  store.change = (keys, decide, how) => {
    if (isAcknowledgement(keys)) commits.push(how?.strict);
    return change(keys, decide, how);
  };
  made.host.connectivity.set(true);
  await made.outbox.flush();
  expect(commits).toEqual([true]);
});

describe('an acknowledgement that fails once', () => {
  /** A page with queued writes that has tried twice to send them. */
  async function failing(options: OutboxOptions, ...writes: readonly [method: string, outbox: object][]) {
    const store = durableStore();
    const made = page(options, store);
    made.host.connectivity.set(false);
    for (const [method, outbox] of writes)
      await made.fetch(URL_, { method, ...(method === 'POST' && { body: 'one' }), holdfast: { outbox } });
    const { change } = store;
    let failures = 1;
    store.change = (async (...args: Parameters<typeof change>) => {
      if (isAcknowledgement(args[0]) && failures-- > 0) {
        await made.clock.busy(settle());
        throw new DOMException('just once', 'UnknownError');
      }
      return change(...args);
    }) as typeof change;
    return {
      ...made,
      async tried() {
        made.host.connectivity.set(true);
        for (let turn = 0; turn < 4; turn++) await settle();
        await made.outbox.flush();
        return made.outbox.counts();
      },
    };
  }

  test('an at-most-once entry waits for the acknowledgement before it, and is no dead letter', async () => {
    const made = await failing({ delivery: 'at-most-once' }, ['DELETE', {}], ['POST', {}]);
    expect(await made.tried()).toMatchObject({ waiting: 0, deadLetters: 0 });
    expect(made.origin.seen.map(({ method }) => method)).toEqual(['DELETE', 'DELETE', 'POST']);
  });

  test('a rejected blocking entry leaves no delivered entry before it behind', async () => {
    const made = await failing({}, ['POST', {}], ['POST', { blockLaneOnFailure: true }]);
    made.origin.replies(ok(), ok(), status(422));
    expect(await made.tried()).toMatchObject({ waiting: 0, deadLetters: 1 });
  });

  test('an expired blocking entry leaves no delivered entry before it behind', async () => {
    const made = await failing({}, ['POST', {}], ['POST', { blockLaneOnFailure: true, expiresAfter: '1s' }]);
    await made.clock.advance(2_000);
    expect(await made.tried()).toMatchObject({ waiting: 0, deadLetters: 1 });
  });
});

test('an acknowledgement that the store commits after its timeout is still emitted', async () => {
  const store = durableStore();
  const made = page({}, store);
  made.host.connectivity.set(false);
  await give(made, ['a'], { id: 'a' });
  const ended: string[] = [];
  made.outbox.subscribe((news) => {
    if (news.type === 'finished') ended.push(`${news.id} ${news.outcome}`);
  });
  const { change } = store;
  store.change = (async (...args: Parameters<typeof change>) => {
    const result = await change(...args);
    if (isAcknowledgement(args[0])) await new Promise<void>((over) => made.clock.after(12_000, over));
    return result;
  }) as typeof change;
  made.host.connectivity.set(true);
  await made.clock.advance(30_000);
  expect(ended).toEqual(['a delivered']);
});

describe('reads of a lane', () => {
  async function reads(count: number, ms: number): Promise<{ reads: number; read: number }> {
    const store = durableStore();
    const made = page({}, store);
    made.host.connectivity.set(false);
    await give(made, bodies(count));
    const { rangeWithBodies, get } = store;
    let [reads, read] = [0, 0];
    store.rangeWithBodies = async (...args) => {
      reads++;
      const found = await rangeWithBodies(...args);
      read += found.length;
      return found;
    };
    store.get = (key) => {
      if (key.startsWith('entry')) reads++;
      return get(key);
    };
    made.origin.replies(
      ...bodies(count).map(() => async () => {
        if (ms > 0) await new Promise<void>((over) => made.clock.after(ms, over));
        return ok();
      }),
    );
    made.host.connectivity.set(true);
    await made.outbox.flush();
    expect(await seen(made)).toEqual(bodies(count));
    return { reads, read };
  }

  test.each([0, 5, 1_000])(
    'an entry is read once, when it is first in its lane (an origin that takes %i ms)',
    async (ms) => {
      const { reads: all, read } = await reads(40, ms);
      expect(all).toBeLessThan(45);
      expect(read).toBe(40);
    },
  );
});
