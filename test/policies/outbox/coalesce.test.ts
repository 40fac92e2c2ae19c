import { describe, expect, test } from 'vitest';
import { isQueued } from '../../../src/core/outcome.ts';
import type { CallOutbox } from '../../../src/policies/outbox/options.ts';
import { networkError, ok, status } from '../../../src/testing/index.ts';
import { idOf, type Page, page, reloaded, settle, URL_ } from '../../support/outbox-page.ts';

/** A page without a network, so that what it writes stays unsent. */
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

describe('writes under one key that are unsent', () => {
  test('are one: the later replaces the earlier, in its place', async () => {
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

  test('are merged by a function that has both', async () => {
    const here = offline();
    for (const body of ['a', 'b', 'c']) await write(here, body, { coalesce: { key: 'log', merge: append } });
    expect(await bodies(here)).toEqual(['a+b+c']);
    here.host.connectivity.set(true);
    await settle();
    expect(sent(here)).toEqual(['a+b+c']);
  });

  test('are merged one after the other, however many are given at once', async () => {
    const here = offline();
    await Promise.all(
      ['a', 'b', 'c', 'd', 'e'].map((body) => write(here, body, { coalesce: { key: 'log', merge: append } })),
    );
    const [all, ...more] = await bodies(here);
    expect(more).toEqual([]);
    expect(all?.split('+').sort()).toEqual(['a', 'b', 'c', 'd', 'e']);
  });

  test('have one answer, under every id that was given', async () => {
    const here = offline();
    const first = await write(here, 'one', { coalesce: { key: 'doc' }, id: 'first' });
    const second = await write(here, 'two', { coalesce: { key: 'doc' }, id: 'second' });
    expect([await idOf(first), await idOf(second)]).toEqual(['first', 'second']);
    here.origin.otherwise(() => ok('saved'));
    here.host.connectivity.set(true);
    await settle();
    for (const id of ['first', 'second']) expect(await (await here.outbox.result(id)).text()).toBe('saved');
    // Both are known: neither is sent a second time.
    await write(here, 'two', { coalesce: { key: 'doc' }, id: 'second' });
    expect(sent(here)).toEqual(['two']);
  });

  test('are also those of before a reload', async () => {
    const before = offline();
    await write(before, 'one', { coalesce: { key: 'doc' } });
    const here = await reloaded(before);
    here.host.connectivity.set(false);
    await write(here, 'two', { coalesce: { key: 'doc' } });
    expect(await bodies(here)).toEqual(['two']);
  });

  test('of other users, lanes and keys have nothing to do with each other', async () => {
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

  test('go out with a key that nobody has seen', async () => {
    const here = offline();
    await write(here, 'one', { coalesce: { key: 'doc' } });
    const [before] = await here.outbox.entries();
    await write(here, 'two', { coalesce: { key: 'doc' } });
    const [after] = await here.outbox.entries();
    expect(after?.key).toBe(before?.key);
    expect(after?.idempotencyKey).not.toBe(before?.idempotencyKey);
  });
});

describe('a write under a key', () => {
  test('that may have arrived is not merged into', async () => {
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

  test('that is just being sent is not merged into, and both arrive', async () => {
    const here = page({ respondAfter: 0 });
    let answer = (_: Response): void => {};
    here.origin.replies(() => new Promise<Response>((resolve) => (answer = resolve)));
    await write(here, 'one', { coalesce: { key: 'count', merge: append } });
    await settle();
    await write(here, 'two', { coalesce: { key: 'count', merge: append } });
    await write(here, 'three', { coalesce: { key: 'count', merge: append } });
    answer(ok());
    await settle();
    expect(sent(here)).toEqual(['one', 'two+three']);
    expect(await here.outbox.counts()).toMatchObject({ waiting: 0, count: 0, bytes: 0 });
  });

  test('that was turned away before it was sent is merged into', async () => {
    const here = page({ authorize: () => Promise.reject(new Error('no token')) });
    await write(here, 'one', { coalesce: { key: 'doc' } });
    await write(here, 'two', { coalesce: { key: 'doc' } });
    expect(await bodies(here)).toEqual(['two']);
    expect(sent(here)).toEqual([]);
  });

  test('that is dead is left alone', async () => {
    const here = page();
    here.origin.replies(status(400));
    await write(here, 'one', { coalesce: { key: 'doc' } });
    here.host.connectivity.set(false);
    await write(here, 'two', { coalesce: { key: 'doc' } });
    expect(await bodies(here)).toEqual(['two']);
    expect(await here.outbox.counts()).toMatchObject({ waiting: 1, deadLetters: 1 });
  });

  test('counts against the limits as what it has become', async () => {
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

  test('whose function fails is not accepted, and the earlier stays', async () => {
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

  test('has to have one that can be meant', async () => {
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
  test('are sent at most once where one of them must be', async () => {
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

  test('stop their lane where the order of one of them matters', async () => {
    const here = offline();
    await write(here, 'a', { coalesce: { key: 'k' }, blockLaneOnFailure: true });
    await write(here, 'b', { coalesce: { key: 'k', merge: append } });
    await write(here, 'c', {});
    here.origin.replies(status(422));
    here.host.connectivity.set(true);
    await here.outbox.flush();
    expect(sent(here)).toEqual(['a+b']);
  });

  test('go by what the later one says where that replaces the earlier', async () => {
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
