import { describe, expect, test } from 'vitest';
import type { CallOutbox } from '../../../src/policies/outbox/options.ts';
import { ok, slow, status } from '../../../src/testing.ts';
import { idOf, type Page, POST, page, reloaded, settle, URL_ } from '../../support/outbox-page.ts';
import { sendsStreams } from '../../support/platform.ts';

const post = async ({ fetch }: Page, body: string, outbox: CallOutbox = {}): Promise<Response> =>
  fetch(URL_, { method: 'POST', body, holdfast: { outbox } });

/** In a lane of its own. */
const give = (here: Page, id: string, more: CallOutbox = {}): Promise<Response> =>
  post(here, id, { id, lane: id, ...more });

const sent = ({ origin }: Page): string[] => origin.seen.map(({ body }) => body);

const _dead = async ({ outbox }: Page): Promise<(string | undefined)[][]> =>
  (await outbox.entries({ state: 'dead-letter' })).map(({ id, reason }) => [id, reason?.code]);

test('writes are sent in order even if the clock gives fractions of a millisecond', async () => {
  const here = page();
  here.host.connectivity.set(false);
  const give = (body: string) => here.fetch(URL_, { ...POST, body });
  await here.clock.advance(0.5);
  await give('a');
  await here.clock.advance(9.5);
  await give('b');
  here.host.connectivity.set(true);
  await here.outbox.flush();
  expect(here.origin.seen.map(({ body }) => body)).toEqual(['a', 'b']);
});

describe('blockLaneOnFailure', () => {
  test('a blocking dead letter stops its lane until it is replayed, also after a reload', async () => {
    const before = page({ blockLaneOnFailure: true });
    before.host.connectivity.set(false);
    for (const id of ['1', '2', '3']) await post(before, id, { id });
    await give(before, 'other');
    before.origin.replies(status(422));
    before.host.connectivity.set(true);
    await settle();
    expect(sent(before).sort()).toEqual(['1', 'other']);
    const here = await reloaded(before, { blockLaneOnFailure: true });
    await here.outbox.flush();
    expect(sent(here)).toHaveLength(2);
    const lane = new URL(URL_).origin;
    expect(await here.outbox.lanes()).toMatchObject([{ lane, waiting: 2, paused: false, stoppedBy: '1' }]);
    await here.outbox.replay('1');
    await settle();
    expect(sent(here).slice(2)).toEqual(['1', '2', '3']);
    expect(await here.outbox.lanes()).toEqual([]);
  });

  test('a lane goes on after its blocking dead letter is removed', async () => {
    const here = page();
    here.host.connectivity.set(false);
    await post(here, '1', { id: '1', blockLaneOnFailure: true });
    await post(here, '2', { id: '2' });
    here.origin.replies(status(422));
    here.host.connectivity.set(true);
    await settle();
    expect(sent(here)).toEqual(['1']);
    await here.outbox.remove('1');
    await here.outbox.flush();
    expect(sent(here)).toEqual(['1', '2']);
  });
});

test('lanes are sent side by side, and no more of them at once than the option allows', async () => {
  const here = page({ concurrency: 2 });
  here.host.connectivity.set(false);
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
  here.host.connectivity.set(true);
  await here.clock.advance(1_000);
  expect(sent(here)).toHaveLength(6);
  expect(most).toBe(2);
});

test.skipIf(!sendsStreams)(
  'writes are stored in the order of their calls, however long their preparation takes',
  async () => {
    const here = page();
    here.host.connectivity.set(false);
    const stream = new Response(new Blob(['0']).stream()).body;
    await Promise.all([
      here.fetch(URL_, {
        method: 'POST',
        body: stream,
        duplex: 'half',
        holdfast: { outbox: true },
      } as RequestInit),
      post(here, '1', { id: 'with an id' }),
      post(here, '2', {}),
      here.fetch(URL_, { method: 'POST', body: new Blob(['3']), holdfast: { outbox: { id: 'blob' } } }),
      post(here, '4'),
    ]);
    here.host.connectivity.set(true);
    await settle();
    expect(sent(here)).toEqual(['0', '1', '2', '3', '4']);
  },
);

test.skipIf(!sendsStreams)(
  'a body that never ends delays its own write and, after 10 s, no other',
  async () => {
    const here = page();
    here.host.connectivity.set(false);
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

test('generated ids sort by time', async () => {
  const here = page();
  here.host.connectivity.set(false);
  const ids: string[] = [];
  for (let nth = 0; nth < 5; nth++) {
    ids.push(await idOf(await post(here, `${nth}`)));
    await here.clock.advance(nth);
  }
  expect([...ids].sort()).toEqual(ids);
});
