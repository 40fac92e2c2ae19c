import { describe, expect, test } from 'vitest';
import { isQueued } from '../../../src/core/outcome.ts';
import type { CallOutbox } from '../../../src/policies/outbox/options.ts';
import { networkError, ok, status } from '../../../src/testing.ts';
import { idOf, type Page, page, reloaded, settle, URL_ } from '../../support/outbox-page.ts';

/** A page without a network, so that its writes stay unsent. */
function offline(options: Parameters<typeof page>[0] = {}): Page {
  const offline = page(options);
  offline.host.connectivity.set(false);
  return offline;
}

const write = ({ fetch }: Page, body: string, outbox: CallOutbox, init: RequestInit = {}) =>
  fetch(URL_, { method: 'PUT', body, ...init, holdfast: { outbox, timeout: false } });

const bodies = async ({ outbox }: Page): Promise<string[]> => {
  const entries = await outbox.entries();
  return Promise.all(entries.map(async ({ id }) => (await outbox.request(id))?.text() ?? ''));
};

const sent = ({ origin }: Page): string[] => origin.seen.map(({ body }) => body);

const append = async (earlier: Request, later: Request): Promise<Request> =>
  new Request(later, { body: `${await earlier.text()}+${await later.text()}` });

describe('unsent writes under one key', () => {
  test('unsent writes under one key are one entry: the later replaces the earlier, in its place', async () => {
    const here = offline();
    await write(here, 'one', { coalesce: { key: 'doc' } });
    await write(here, 'other', {});
    await write(here, 'two', { coalesce: { key: 'doc' } });
    expect(await bodies(here)).toEqual(['two', 'other']);
    expect(await here.outbox.counts()).toMatchObject({ waiting: 2, count: 2, bytes: 8 });
    here.host.connectivity.set(true);
    await settle();
    expect(sent(here)).toEqual(['two', 'other']);
    expect(await here.outbox.counts()).toMatchObject({ waiting: 0, count: 0, bytes: 0 });
  });

  test('a merge function makes one entry of two unsent writes', async () => {
    const here = offline();
    for (const body of ['a', 'b', 'c']) await write(here, body, { coalesce: { key: 'log', merge: append } });
    expect(await bodies(here)).toEqual(['a+b+c']);
    here.host.connectivity.set(true);
    await settle();
    expect(sent(here)).toEqual(['a+b+c']);
  });

  test('a merge function merges one write after the other, however many come at once', async () => {
    const here = offline();
    await Promise.all(
      ['a', 'b', 'c', 'd', 'e'].map((body) => write(here, body, { coalesce: { key: 'log', merge: append } })),
    );
    const [all, ...more] = await bodies(here);
    expect(more).toEqual([]);
    expect(all?.split('+').sort()).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  test('coalesced writes have one response, under every id of theirs', async () => {
    const here = offline();
    const first = await write(here, 'one', { coalesce: { key: 'doc' }, id: 'first' });
    const second = await write(here, 'two', { coalesce: { key: 'doc' }, id: 'second' });
    expect([await idOf(first), await idOf(second)]).toEqual(['first', 'second']);
    here.origin.otherwise(() => ok('saved'));
    here.host.connectivity.set(true);
    await settle();
    for (const id of ['first', 'second']) expect(await (await here.outbox.result(id)).text()).toBe('saved');
    // The outbox knows both ids: neither is sent a second time.
    await write(here, 'two', { coalesce: { key: 'doc' }, id: 'second' });
    expect(sent(here)).toEqual(['two']);
  });

  test('coalescing works with unsent writes from before a reload', async () => {
    const before = offline();
    await write(before, 'one', { coalesce: { key: 'doc' } });
    const here = await reloaded(before);
    here.host.connectivity.set(false);
    await write(here, 'two', { coalesce: { key: 'doc' } });
    expect(await bodies(here)).toEqual(['two']);
  });

  test('coalescing never crosses users, lanes or keys', async () => {
    let user = 'ann';
    const here = offline({ user: () => user });
    await write(here, 'one', { coalesce: { key: 'doc' } });
    await write(here, 'two', { coalesce: { key: 'doc' }, lane: 'other' });
    await write(here, 'three', { coalesce: { key: 'another' } });
    user = 'bob';
    await write(here, 'four', { coalesce: { key: 'doc' } });
    expect(await bodies(here)).toEqual(['four']);
    user = 'ann';
    expect((await bodies(here)).sort()).toEqual(['one', 'three', 'two']);
  });

  test('a coalesced write is sent with an idempotency key that no request had before', async () => {
    const here = offline();
    await write(here, 'one', { coalesce: { key: 'doc' } });
    const [before] = await here.outbox.entries();
    await write(here, 'two', { coalesce: { key: 'doc' } });
    const [after] = await here.outbox.entries();
    expect(after?.key).toBe(before?.key);
    expect(after?.idempotencyKey).not.toBe(before?.idempotencyKey);
  });
});

describe('a sent write under a key', () => {
  test('a write that may have arrived is not coalesced', async () => {
    const here = page();
    here.origin.replies(networkError());
    expect(isQueued(await write(here, 'one', { coalesce: { key: 'doc' } }))).toBe(true);
    await write(here, 'two', { coalesce: { key: 'doc' } });
    await write(here, 'three', { coalesce: { key: 'doc' } });
    expect(await bodies(here)).toEqual(['one', 'three']);
    const first = await reloaded(here);
    first.host.connectivity.set(false);
    await write(first, 'four', { coalesce: { key: 'doc' } });
    expect(await bodies(first)).toEqual(['one', 'four']);
  });

  test('a write that is being sent is not coalesced, and both arrive', async () => {
    const here = page({ respondAfter: 0 });
    let respond = (_: Response): void => {};
    here.origin.replies(() => new Promise<Response>((resolve) => (respond = resolve)));
    await write(here, 'one', { coalesce: { key: 'count', merge: append } });
    await settle();
    await write(here, 'two', { coalesce: { key: 'count', merge: append } });
    await write(here, 'three', { coalesce: { key: 'count', merge: append } });
    respond(ok());
    await settle();
    expect(sent(here)).toEqual(['one', 'two+three']);
    expect(await here.outbox.counts()).toMatchObject({ waiting: 0, count: 0, bytes: 0 });
  });

  test('a write that was rejected before it was sent is coalesced', async () => {
    const here = page({ authorize: () => Promise.reject(new Error('no token')) });
    await write(here, 'one', { coalesce: { key: 'doc' } });
    await write(here, 'two', { coalesce: { key: 'doc' } });
    expect(await bodies(here)).toEqual(['two']);
    expect(sent(here)).toEqual([]);
  });

  test('a dead letter is not coalesced', async () => {
    const here = page();
    here.origin.replies(status(400));
    await write(here, 'one', { coalesce: { key: 'doc' } });
    here.host.connectivity.set(false);
    await write(here, 'two', { coalesce: { key: 'doc' } });
    expect(await bodies(here)).toEqual(['two']);
    expect(await here.outbox.counts()).toMatchObject({ waiting: 1, deadLetters: 1 });
  });

  test('the limits count the size of the merged write', async () => {
    const here = offline({ maxEntries: 1, maxBytes: 10, maxEntryBytes: 10 });
    await write(here, '12345', { coalesce: { key: 'doc' } });
    await write(here, '1234567890', { coalesce: { key: 'doc' } });
    await expect(
      write(here, 'x', { coalesce: { key: 'doc', merge: (earlier) => earlier } }),
    ).resolves.toMatchObject({
      status: 202,
    });
    expect(await here.outbox.counts()).toMatchObject({ count: 1, bytes: 10 });
    await expect(write(here, 'x', {})).rejects.toMatchObject({ code: 'outbox-full' });
  });

  test('a write whose merge function throws is rejected, and the earlier entry stays', async () => {
    const here = offline();
    await write(here, 'one', { coalesce: { key: 'doc' } });
    const bug = new Error('mine');
    const failing = { coalesce: { key: 'doc', merge: () => Promise.reject(bug) } };
    await expect(write(here, 'two', failing)).rejects.toBe(bug);
    await expect(
      write(here, 'two', { coalesce: { key: 'doc', merge: (() => 'no request') as never } }),
    ).rejects.toThrow(
      "outbox.coalesce.merge: 'no request' is not allowed; expected a function that returns a Request",
    );
    expect(await bodies(here)).toEqual(['one']);
  });

  test('an invalid coalesce option is an error', async () => {
    const here = offline();
    await expect(write(here, 'x', { coalesce: { key: 'doc', merge: 'append' as never } })).rejects.toThrow(
      "outbox.coalesce.merge: 'append' is not allowed; expected 'replace' or a function",
    );
    await expect(write(here, 'x', { coalesce: { merge: 'replace' } } as never)).rejects.toThrow(
      'outbox.coalesce.key',
    );
    await expect(write(here, 'x', { coalesce: { key: 7 as never } })).rejects.toThrow(
      'outbox.coalesce.key: 7 is not allowed',
    );
  });
});

describe('two writes that are merged by a function', () => {
  test('merged writes are at-most-once if one of them is', async () => {
    const here = offline();
    const once = { method: 'POST' };
    await write(here, 'pay 1', { coalesce: { key: 'k' }, delivery: 'at-most-once' }, once);
    await write(here, 'note', { coalesce: { key: 'k', merge: append } }, once);
    here.origin.otherwise(networkError());
    here.host.connectivity.set(true);
    await here.outbox.flush();
    await here.outbox.flush();
    expect(sent(here)).toEqual(['pay 1+note']);
    expect((await here.outbox.entries({ state: 'dead-letter' }))[0]?.reason?.code).toBe('unknown-outcome');
  });

  test('merged writes block their lane if one of them does', async () => {
    const here = offline();
    await write(here, 'a', { coalesce: { key: 'k' }, blockLaneOnFailure: true });
    await write(here, 'b', { coalesce: { key: 'k', merge: append } });
    await write(here, 'c', {});
    here.origin.replies(status(422));
    here.host.connectivity.set(true);
    await here.outbox.flush();
    expect(sent(here)).toEqual(['a+b']);
  });

  test('a later write that replaces an earlier one brings its own options', async () => {
    const here = offline();
    await write(here, 'a', { coalesce: { key: 'k' }, blockLaneOnFailure: true });
    await write(here, 'b', { coalesce: { key: 'k' } });
    await write(here, 'c', {});
    here.origin.replies(status(422));
    here.host.connectivity.set(true);
    await here.outbox.flush();
    expect(sent(here)).toEqual(['b', 'c']);
  });
});

test('a write that takes the place of one with a Retry-After waits as long', async () => {
  const here = page({ delivery: 'at-most-once' });
  here.origin.replies(status(429, { 'retry-after': '600' }), ok());
  for (const body of ['a', 'b']) {
    await write(here, body, { coalesce: { key: 'k' } }, { method: 'POST' });
    await settle();
  }
  expect(here.origin.seen.map(({ body }) => body)).toEqual(['a']);
  await here.clock.advance(602_000);
  expect(here.origin.seen.map(({ body }) => body)).toEqual(['a', 'b']);
});
