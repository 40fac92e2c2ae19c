import { describe, expect, test } from 'vitest';
import { ok, slow, status } from '../../../src/testing/index.ts';
import { held } from '../../support/held.ts';
import { page, settle } from '../../support/outbox-page.ts';
import { give, sent } from '../../support/outbox-writes.ts';

describe('flush', () => {
  test('that is stopped begins nothing more, though the lane was being sent before', async () => {
    const here = page();
    here.host.connectivity.set(false);
    for (const each of ['1', '2', '3']) await give(here, each);
    const first = held<Response>(here);
    here.origin.replies(first.step);
    here.host.connectivity.set(true);
    await settle();
    const stop = new AbortController();
    const flushed = here.outbox.flush({ signal: stop.signal });
    await settle();
    stop.abort();
    first.letGo(ok());
    await flushed;
    await settle();
    expect(sent(here)).toEqual(['1']);
  });

  test('without a signal is not stopped by the signal of another one', async () => {
    const before = page();
    before.host.connectivity.set(false);
    for (const each of ['1', '2', '3']) await give(before, each);
    await before.fetch.close();
    before.host.connectivity.set(true);
    const here = page({}, before.store, before);
    const first = held<Response>(here);
    here.origin.replies(first.step);
    const stop = new AbortController();
    const one = here.outbox.flush({ signal: stop.signal });
    await settle();
    expect(sent(here)).toEqual(['1']);
    const other = here.outbox.flush();
    await settle();
    stop.abort();
    first.letGo(ok());
    await one;
    expect(await other).toMatchObject({ left: 0 });
    expect(sent(here)).toEqual(['1', '2', '3']);
  });

  test('that is stopped does not keep a write that is given then from being sent', async () => {
    const before = page();
    before.host.connectivity.set(false);
    for (const each of ['1', '2']) await give(before, each);
    await before.fetch.close();
    before.host.connectivity.set(true);
    const here = page({}, before.store, before);
    const first = held<Response>(here);
    here.origin.replies(first.step);
    const stop = new AbortController();
    const one = here.outbox.flush({ signal: stop.signal });
    await settle();
    stop.abort();
    const given = give(here, '3');
    await settle();
    first.letGo(ok());
    await one;
    expect((await given).status).toBe(200);
  });

  test('counts what waited when it began', async () => {
    const here = page();
    here.host.connectivity.set(false);
    await give(here, '1');
    const first = held<Response>(here);
    here.origin.replies(first.step);
    here.host.connectivity.set(true);
    const flushed = here.outbox.flush();
    await settle();
    const later = give(here, '2');
    await settle();
    first.letGo(ok());
    const report = await flushed;
    await later;
    expect(report).toEqual({ total: 1, delivered: 1, deadLetters: 0, left: 0 });
  });

  test('that is stopped begins nothing in other lanes that wait for a slot', async () => {
    const before = page();
    before.host.connectivity.set(false);
    await give(before, 'a', { lane: 'a', id: 'a' });
    await give(before, 'b', { lane: 'b' });
    await before.fetch.close();
    before.host.connectivity.set(true);
    const here = page({ concurrency: 1 }, before.store, before);
    const first = held<Response>(here);
    here.origin.replies(first.step);
    const stop = new AbortController();
    const flushed = here.outbox.flush({ signal: stop.signal });
    await settle();
    stop.abort();
    first.letGo(ok());
    expect(await flushed).toMatchObject({ total: 2, delivered: 1, left: 1 });
    expect(sent(here)).toEqual(['a']);
    // And what has been stopped goes on at the next occasion.
    here.host.connectivity.set(false);
    here.host.connectivity.set(true);
    await settle();
    expect(sent(here)).toEqual(['a', 'b']);
  });

  test('counts no dead letter that is replayed meanwhile', async () => {
    const here = page();
    here.origin.replies(status(422));
    await give(here, 'dead', { id: 'dead', lane: 'dead' });
    here.host.connectivity.set(false);
    await give(here, '1');
    const first = held<Response>(here);
    here.origin.replies(first.step);
    here.host.connectivity.set(true);
    const flushed = here.outbox.flush();
    await settle();
    await here.outbox.replay('dead');
    await settle();
    first.letGo(ok());
    expect(await flushed).toEqual({ total: 1, delivered: 1, deadLetters: 0, left: 0 });
    expect(sent(here)).toEqual(['dead', '1', 'dead']);
  });

  test('that is stopped is not kept up by calls that have their answers', async () => {
    const here = page();
    here.origin.replies(slow(here.clock, 4_000));
    const answers = Promise.all([give(here, '1'), give(here, '2')]);
    expect((await answers).map(({ status }) => status)).toEqual([202, 202]);
    expect(here.clock.ticks()).toBe(2_000);
    const stop = new AbortController();
    const flushed = here.outbox.flush({ signal: stop.signal });
    here.clock.after(500, () => stop.abort());
    expect(await flushed).toMatchObject({ delivered: 1, left: 1 });
    expect(sent(here)).toEqual(['1']);
  });

  test('that is stopped keeps nothing from what is begun afterwards, while it ends', async () => {
    const here = page();
    here.host.connectivity.set(false);
    for (const each of ['1', '2']) await give(here, each);
    const first = held<Response>(here);
    here.origin.replies(first.step);
    here.host.connectivity.set(true);
    await settle();
    const stop = new AbortController();
    const flushed = here.outbox.flush({ signal: stop.signal });
    await settle();
    stop.abort();
    await here.outbox.resume();
    first.letGo(ok());
    await flushed;
    await settle();
    expect(sent(here)).toEqual(['1', '2']);
  });
});

test('with something else for a signal is an error that says so', async () => {
  await expect(page().outbox.flush({ signal: {} as AbortSignal })).rejects.toThrow(
    /flush\.signal: {} .* an AbortSignal/,
  );
});

test.each([
  [
    'throws',
    () => {
      throw new Error('the progress bar is gone');
    },
  ],
  ['rejects', () => Promise.reject(new Error('the progress bar is gone'))],
])('a listener of progress that %s does not stop what is sent', async (_, onProgress) => {
  const here = page();
  here.host.connectivity.set(false);
  for (const body of ['a', 'b', 'c', 'd']) await give(here, body);
  here.host.connectivity.set(true);
  expect(await here.outbox.flush({ onProgress })).toMatchObject({ delivered: 4, left: 0 });
});
