import { describe, expect, test } from 'vitest';
import type { CallOutbox } from '../../src/policies/outbox/options.ts';
import { hang, networkError, ok, slow, status } from '../../src/testing/index.ts';
import { durableStore } from '../support/durable.ts';
import { idOf, type Page, POST, page, reloaded, settle, URL_ } from '../support/outbox-page.ts';

const post = async ({ fetch }: Page, body: string, outbox: CallOutbox = {}): Promise<Response> =>
  fetch(URL_, { method: 'POST', body, holdfast: { outbox } });

/** In a lane of its own. */
const give = (here: Page, id: string, more: CallOutbox = {}): Promise<Response> =>
  post(here, id, { id, lane: id, ...more });

const sent = ({ origin }: Page): string[] => origin.seen.map(({ body }) => body);

const dead = async ({ outbox }: Page): Promise<(string | undefined)[][]> =>
  (await outbox.entries({ state: 'dead' })).map(({ id, reason }) => [id, reason?.code]);

test('writes go out in their order also where the clock tells fractions of a millisecond', async () => {
  const here = page();
  here.host.online.set(false);
  const give = (body: string) => here.fetch(URL_, { ...POST, body });
  await here.clock.advance(0.5);
  await give('a');
  await here.clock.advance(9.5);
  await give('b');
  here.host.online.set(true);
  await here.outbox.flush();
  expect(here.origin.seen.map(({ body }) => body)).toEqual(['a', 'b']);
});

describe('a write that waits for others', () => {
  test('is sent when they have been delivered, whatever its lane', async () => {
    const here = page();
    here.host.online.set(false);
    await give(here, 'order');
    await give(here, 'invoice');
    await give(here, 'line', { after: ['order', 'invoice'] });
    here.origin.replies(networkError());
    here.host.online.set(true);
    await settle();
    // Which of them is first, nobody said.
    const [failed, other, ...rest] = sent(here);
    expect([failed, other].sort()).toEqual(['invoice', 'order']);
    expect(rest).toEqual([]);
    await here.clock.advance(60_000);
    expect(sent(here).slice(2)).toEqual([failed, 'line']);
    expect(await here.outbox.counts()).toMatchObject({ waiting: 0 });
  });

  test('holds up its lane, and no other', async () => {
    const here = page();
    here.origin.replies(hang(), ok());
    void give(here, 'order');
    await settle();
    void give(here, 'line', { after: 'order', lane: 'lines' });
    void give(here, 'other', { lane: 'lines' });
    await give(here, 'third');
    await settle();
    expect(sent(here)).toEqual(['order', 'third']);
  });

  test('waits for nothing where they have been delivered before', async () => {
    const here = page();
    await give(here, 'order');
    await give(here, 'line', { after: 'order' });
    expect(sent(here)).toEqual(['order', 'line']);
  });

  test('fails with them, and so does what waits for it', async () => {
    const here = page();
    here.host.online.set(false);
    await give(here, 'order');
    await give(here, 'line', { after: 'order' });
    await give(here, 'note', { after: 'line' });
    await give(here, 'other');
    const result = here.outbox.result('note');
    here.origin.replies(status(422));
    here.host.online.set(true);
    await expect(result).rejects.toMatchObject({
      code: 'dead-lettered',
      reason: { code: 'dependency', message: "'line', which it waits for, was not delivered" },
    });
    await settle();
    expect(await dead(here)).toEqual([
      ['order', 'http'],
      ['line', 'dependency'],
      ['note', 'dependency'],
    ]);
    expect(sent(here)).toEqual(['order', 'other']);
  });

  test('is sent when the dead letter is replayed, and in order', async () => {
    const here = page();
    here.host.online.set(false);
    await give(here, 'order');
    await give(here, 'line', { after: 'order' });
    await give(here, 'note', { after: 'line' });
    here.origin.replies(status(422));
    here.host.online.set(true);
    await settle();
    await here.outbox.replay('order');
    await settle();
    expect(sent(here)).toEqual(['order', 'order', 'line', 'note']);
    expect(await here.outbox.counts()).toMatchObject({ waiting: 0, dead: 0 });
  });

  test('fails with one that the application removes', async () => {
    const here = page();
    here.host.online.set(false);
    await give(here, 'order');
    await give(here, 'line', { after: 'order' });
    expect(await here.outbox.remove('order')).toBe(true);
    expect(await dead(here)).toEqual([['line', 'dependency']]);
    here.host.online.set(true);
    await settle();
    expect(sent(here)).toEqual([]);
  });

  test('and is given after the other one has died dies as well', async () => {
    const here = page();
    here.origin.replies(status(422));
    await give(here, 'order');
    await expect(give(here, 'line', { after: 'order' })).rejects.toMatchObject({ code: 'dead-lettered' });
    expect(sent(here)).toEqual(['order']);
    await here.outbox.replay('order');
    await settle();
    expect(sent(here)).toEqual(['order', 'order', 'line']);
  });

  test('goes on waiting after a reload', async () => {
    const before = page();
    before.host.online.set(false);
    await give(before, 'order');
    await give(before, 'line', { after: 'order' });
    const here = await reloaded(before);
    here.origin.replies(networkError());
    here.host.online.set(true);
    await here.clock.advance(60_000);
    expect(sent(here)).toEqual(['order', 'order', 'line']);
  });

  test('for one that nobody knows is refused', async () => {
    const here = page({ user: () => 'ann' });
    await expect(give(here, 'line', { after: 'ordr' })).rejects.toThrow(
      "outbox.after: 'ordr' is not allowed; expected the id of a write that is known",
    );
    await expect(give(here, 'line', { after: 7 as never })).rejects.toThrow('outbox.after: 7 is not allowed');
    expect(await here.outbox.counts()).toMatchObject({ waiting: 0 });
  });
});

describe('where order matters more', () => {
  test('a dead letter stops its lane until it is replayed, also after a reload', async () => {
    const before = page({ strict: true });
    before.host.online.set(false);
    for (const id of ['1', '2', '3']) await post(before, id, { id });
    await give(before, 'other');
    before.origin.replies(status(422));
    before.host.online.set(true);
    await settle();
    expect(sent(before).sort()).toEqual(['1', 'other']);
    const here = await reloaded(before, { strict: true });
    await here.outbox.flush();
    expect(sent(here)).toHaveLength(2);
    const lane = new URL(URL_).origin;
    expect(await here.outbox.lanes()).toMatchObject([{ lane, waiting: 2, paused: false, stoppedBy: '1' }]);
    await here.outbox.replay('1');
    await settle();
    expect(sent(here).slice(2)).toEqual(['1', '2', '3']);
    expect(await here.outbox.lanes()).toEqual([]);
  });

  test('removing the dead letter lets the lane go on', async () => {
    const here = page();
    here.host.online.set(false);
    await post(here, '1', { id: '1', strict: true });
    await post(here, '2', { id: '2' });
    here.origin.replies(status(422));
    here.host.online.set(true);
    await settle();
    expect(sent(here)).toEqual(['1']);
    await here.outbox.remove('1');
    await here.outbox.flush();
    expect(sent(here)).toEqual(['1', '2']);
  });
});

test('lanes go side by side, and no more of them at once than were asked for', async () => {
  const here = page({ concurrency: 2 });
  here.host.online.set(false);
  for (let nth = 0; nth < 6; nth++) await give(here, `${nth}`);
  let underWay = 0;
  let most = 0;
  const ended = (): Response => {
    underWay--;
    return ok();
  };
  here.origin.otherwise(slow(here.clock, 100, ended));
  here.outbox.subscribe(({ type }) => {
    if (type === 'sending') most = Math.max(most, ++underWay);
  });
  here.host.online.set(true);
  await here.clock.advance(1_000);
  expect(sent(here)).toHaveLength(6);
  expect(most).toBe(2);
});

/** Firefox and WebKit take one for text. */
const sendsStreams = ((): boolean => {
  const init = { method: 'POST', body: new ReadableStream(), duplex: 'half' } as RequestInit;
  return !new Request(URL_, init).headers.has('content-type');
})();

test.skipIf(!sendsStreams)(
  'writes are kept in the order in which they were given, whatever they have to be prepared for',
  async () => {
    const here = page();
    here.host.online.set(false);
    const stream = new Response(new Blob(['0']).stream()).body;
    await Promise.all([
      here.fetch(URL_, {
        method: 'POST',
        body: stream,
        duplex: 'half',
        holdfast: { outbox: true },
      } as RequestInit),
      post(here, '1', { id: 'with an id' }),
      post(here, '2', { after: [] }),
      here.fetch(URL_, { method: 'POST', body: new Blob(['3']), holdfast: { outbox: { id: 'blob' } } }),
      post(here, '4'),
    ]);
    here.host.online.set(true);
    await settle();
    expect(sent(here)).toEqual(['0', '1', '2', '3', '4']);
  },
);

test.skipIf(!sendsStreams)(
  'a body that never ends holds up its own write and, after 10 s, no other',
  async () => {
    const here = page();
    here.host.online.set(false);
    const endless = {
      method: 'POST',
      body: new ReadableStream(),
      duplex: 'half',
      holdfast: { outbox: true },
    };
    const leaving = new AbortController();
    const never = here.fetch(URL_, { ...endless, signal: leaving.signal } as RequestInit);
    await Promise.all([post(here, '1'), post(here, '2')]);
    expect((await here.outbox.entries()).map(({ size }) => size)).toEqual([1, 1]);
    expect(here.clock.ticks()).toBe(10_000);
    leaving.abort();
    await expect(never).rejects.toMatchObject({ name: 'AbortError' });
  },
);

test('ids that are made sort by time', async () => {
  const here = page();
  here.host.online.set(false);
  const ids: string[] = [];
  for (let nth = 0; nth < 5; nth++) {
    ids.push(await idOf(await post(here, `${nth}`)));
    await here.clock.advance(nth);
  }
  expect([...ids].sort()).toEqual(ids);
});

test('what failed with a dead letter is in its place when that is replayed, though the disk is slower than the origin', async () => {
  const store = durableStore();
  const here = page({}, store);
  here.host.online.set(false);
  await post(here, 'x1', { id: 'x1' });
  await post(here, 'x2', { id: 'x2', after: 'x1' });
  here.origin.replies(status(422));
  here.host.online.set(true);
  await settle();
  expect(await here.outbox.counts()).toMatchObject({ waiting: 0, dead: 2 });
  here.host.online.set(false);
  await post(here, 'x3');
  await post(here, 'x4');
  const x2 = (await here.outbox.entries({ state: 'dead' })).find(({ id }) => id === 'x2')?.key;
  const asked = Promise.withResolvers<void>();
  const answer = Promise.withResolvers<Response>();
  here.origin.replies(() => {
    asked.resolve();
    return here.clock.busy(answer.promise);
  });
  here.host.online.set(true);
  await asked.promise;
  // The lane goes on as soon as anything is back, and bringing back what failed with it takes 100 ms more.
  const { change } = store;
  store.change = async (...args) => {
    if (args[0][0] === x2) await new Promise<void>((done) => void here.clock.after(100, done));
    const result = await change(...(args as Parameters<typeof change>));
    answer.resolve(ok());
    return result as never;
  };
  const replayed = here.outbox.replay('x1');
  await settle();
  await here.clock.advance(60_000);
  await replayed;
  expect(sent(here).slice(1)).toEqual(['x3', 'x1', 'x2', 'x4']);
});
