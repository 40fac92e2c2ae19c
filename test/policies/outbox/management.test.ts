import { describe, expect, test } from 'vitest';
import type { CallOutbox } from '../../../src/policies/outbox/options.ts';
import type { FlushProgress } from '../../../src/policies/outbox/queue/queries.ts';
import { networkError, ok, status } from '../../../src/testing.ts';
import { type Page, page, reloaded, settle, URL_ } from '../../support/outbox-page.ts';

const post = ({ fetch }: Page, id: string, outbox: CallOutbox = {}) =>
  fetch(URL_, { method: 'POST', body: id, holdfast: { outbox: { id, ...outbox } } });

const sent = ({ origin }: Page): string[] => origin.seen.map(({ body }) => body);

describe('a lane', () => {
  test('a paused lane sends nothing until resume, also after a reload', async () => {
    const before = page();
    await before.outbox.pause({ lane: 'slow' });
    expect((await post(before, '1', { lane: 'slow' })).status).toBe(202);
    expect((await post(before, '2', { lane: 'quick' })).status).toBe(200);
    const here = await reloaded(before);
    await here.outbox.flush();
    expect(sent(here)).toEqual(['2']);
    expect(await here.outbox.lanes()).toEqual([
      { lane: 'slow', waiting: 1, paused: true, dueAt: here.clock.now() },
    ]);
    await here.outbox.resume({ lane: 'slow' });
    await settle();
    expect(sent(here)).toEqual(['2', '1']);
    expect(await here.outbox.lanes()).toEqual([]);
  });

  test('a lane that is paused while it is drained stops after the entry that is being sent', async () => {
    const here = page();
    here.host.connectivity.set(false);
    for (const id of ['1', '2', '3']) await post(here, id);
    here.origin.replies(async () => {
      await here.outbox.pause();
      return ok();
    });
    here.host.connectivity.set(true);
    await settle();
    expect(sent(here)).toEqual(['1']);
    expect((await here.outbox.lanes()).map(({ waiting, paused }) => [waiting, paused])).toEqual([[2, true]]);
    await here.outbox.resume();
    await settle();
    expect(sent(here)).toEqual(['1', '2', '3']);
  });

  test('a lane is paused for its user alone', async () => {
    let user = 'ann';
    const here = page({ user: () => user });
    await here.outbox.pause();
    expect((await here.outbox.counts()).paused).toBe('application');
    user = 'bob';
    expect((await here.outbox.counts()).paused).toBeUndefined();
    expect((await post(here, '1')).status).toBe(200);
    user = 'ann';
    expect((await post(here, '2')).status).toBe(202);
    expect(here.emitted('outbox-paused')).toEqual([{ type: 'outbox-paused', lane: undefined }]);
  });

  test('an invalid lane name is a configuration error', async () => {
    const here = page();
    await expect(here.outbox.pause({ lane: 7 as never })).rejects.toThrow('outbox.lane: 7 is not allowed');
    await expect(here.outbox.resume({ lan: 'x' } as never)).rejects.toThrow('unknown option; known: lane');
  });
});

describe('counts', () => {
  test('counts are the current user’s, of all lanes or one, with the totals that the limits use', async () => {
    let user = 'ann';
    const here = page({ user: () => user });
    here.origin.replies(status(422));
    await post(here, 'dead', { lane: 'a' });
    here.host.connectivity.set(false);
    await post(here, '1', { lane: 'a' });
    await post(here, '22', { lane: 'b' });
    user = 'bob';
    await post(here, '333');
    expect(await here.outbox.counts()).toEqual({ waiting: 1, deadLetters: 0, count: 3, bytes: 6 });
    user = 'ann';
    expect(await here.outbox.counts()).toEqual({ waiting: 2, deadLetters: 1, count: 3, bytes: 6 });
    expect(await here.outbox.counts({ lane: 'a' })).toEqual({
      waiting: 1,
      deadLetters: 1,
      count: 3,
      bytes: 6,
    });
    expect((await here.outbox.entries({ state: 'dead-letter', lane: 'a' })).map(({ id }) => id)).toEqual([
      'dead',
    ]);
    expect(await here.outbox.entries({ state: 'dead-letter', lane: 'b' })).toEqual([]);
  });
});

describe('flush', () => {
  test('flush reports its progress', async () => {
    const here = page();
    here.origin.replies(...Array.from({ length: 4 }, networkError));
    for (const id of ['1', '2', '3', '4']) await post(here, id, { lane: id });
    here.origin.replies(ok(), status(422), networkError());
    const reports: FlushProgress[] = [];
    const done = await here.outbox.flush({ onProgress: (progress) => reports.push(progress) });
    expect(reports).toHaveLength(3);
    expect(reports.map(({ total, left }) => [total, left])).toEqual([
      [4, 3],
      [4, 2],
      [4, 1],
    ]);
    expect(done).toEqual({ total: 4, delivered: 2, deadLetters: 1, left: 1 });
  });

  test('an aborted flush starts no further sending, and acknowledges the one under way', async () => {
    const here = page();
    here.origin.replies(networkError());
    for (const id of ['1', '2', '3']) await post(here, id);
    const stop = new AbortController();
    here.origin.replies(() => {
      stop.abort();
      return ok();
    });
    expect(await here.outbox.flush({ signal: stop.signal })).toMatchObject({ delivered: 1, left: 2 });
    expect(sent(here)).toEqual(['1', '1']);
  });

  test('an impossible option of flush is a configuration error', async () => {
    const here = page();
    await expect(here.outbox.flush({ onProgress: 7 as never })).rejects.toThrow('flush.onProgress: 7');
  });
});

describe('subscribers of an outbox', () => {
  test('a subscriber receives the events of entries until it unsubscribes', async () => {
    const here = page();
    const received: string[] = [];
    const end = here.outbox.subscribe(({ type }) => received.push(type));
    here.outbox.subscribe(() => {
      throw new Error('mine');
    });
    await post(here, '1');
    end();
    await post(here, '2');
    expect(received).toEqual(['queued', 'sending', 'delivered', 'finished']);
    expect(sent(here)).toEqual(['1', '2']);
  });

  test('an async subscriber that rejects causes no unhandled rejection', async () => {
    const here = page();
    const rejected = Promise.reject(new Error('the list is gone'));
    rejected.catch(() => {});
    // An unhandled rejection ends a process.
    const { then } = rejected;
    let handlers = 0;
    const counted = (...args: Parameters<typeof then>) => {
      handlers++;
      return then.apply(rejected, args);
    };
    Object.defineProperty(rejected, 'then', { value: counted });
    here.outbox.subscribe((() => rejected) as never);
    await post(here, '1');
    expect(handlers).toBeGreaterThan(0);
  });
});

describe('clear', () => {
  test('clear leaves nothing of a user, and everything of the others', async () => {
    let user = 'ann';
    const here = page({ user: () => user });
    await post(here, 'delivered');
    here.origin.replies(status(422));
    await post(here, 'dead');
    here.host.connectivity.set(false);
    await post(here, 'waiting');
    await post(here, 'unsent', { coalesce: { key: 'doc' } });
    user = 'bob';
    await post(here, 'his');
    expect(await here.outbox.clear({ partition: 'ann' })).toBe(3);
    const left = await here.store.range({});
    expect(JSON.stringify(left.filter(({ key }) => !key.startsWith('totals')))).not.toContain('ann');
    expect(await here.outbox.counts()).toMatchObject({ waiting: 1, count: 1, bytes: 3 });
    expect(await here.outbox.clear()).toBe(1);
    expect(await here.outbox.counts()).toMatchObject({ count: 0, bytes: 0 });
  });

  test('an impossible argument of clear is an error, and nothing is removed', async () => {
    const here = page();
    here.host.connectivity.set(false);
    await post(here, 'order');
    await expect(here.outbox.clear('bob' as never)).rejects.toThrow(
      "clear: 'bob' is not allowed; expected an object",
    );
    await expect(here.outbox.clear({ user: 'bob' } as never)).rejects.toThrow('known: partition');
    await expect(here.outbox.edit('order', 'x' as never)).rejects.toThrow('edit.change');
    expect(() => here.outbox.subscribe({} as never)).toThrow('subscribe.listener');
    expect(await here.outbox.counts()).toMatchObject({ waiting: 1 });
  });

  test('clear rejects pending results', async () => {
    const here = page();
    here.origin.replies(networkError());
    await post(here, 'order');
    const result = here.outbox.result('order');
    await settle();
    await here.outbox.clear();
    await expect(result).rejects.toMatchObject({ code: 'outbox-removed' });
  });
});
