import { describe, expect, test } from 'vitest';
import { ok, slow, status } from '../../../src/testing.ts';
import { deferred } from '../../support/deferred.ts';
import { page, settle } from '../../support/outbox-page.ts';
import { give, giveOffline, pageWith, sent, startSending } from '../../support/outbox-writes.ts';

describe('flush', () => {
  test('a stopped flush starts no further sending, even in a lane that was being sent before', async () => {
    const here = page();
    await giveOffline(here, '1', '2', '3');
    const first = await startSending(here);
    const stop = new AbortController();
    const flushed = here.outbox.flush({ signal: stop.signal });
    await settle();
    stop.abort();
    first.resolve(ok());
    await flushed;
    await settle();
    expect(sent(here)).toEqual(['1']);
  });

  test('a flush without a signal ignores the signal of another one', async () => {
    const here = await pageWith({}, '1', '2', '3');
    const first = deferred<Response>(here);
    here.origin.replies(first.work);
    const stop = new AbortController();
    const one = here.outbox.flush({ signal: stop.signal });
    await settle();
    expect(sent(here)).toEqual(['1']);
    const other = here.outbox.flush();
    await settle();
    stop.abort();
    first.resolve(ok());
    await one;
    expect(await other).toMatchObject({ left: 0 });
    expect(sent(here)).toEqual(['1', '2', '3']);
  });

  test('a stopped flush does not keep a later write from being sent', async () => {
    const here = await pageWith({}, '1', '2');
    const first = deferred<Response>(here);
    here.origin.replies(first.work);
    const stop = new AbortController();
    const one = here.outbox.flush({ signal: stop.signal });
    await settle();
    stop.abort();
    const given = give(here, '3');
    await settle();
    first.resolve(ok());
    await one;
    expect((await given).status).toBe(200);
  });

  test('flush counts the entries that waited when it began', async () => {
    const here = page();
    await giveOffline(here, '1');
    const first = deferred<Response>(here);
    here.origin.replies(first.work);
    here.host.connectivity.set(true);
    const flushed = here.outbox.flush();
    await settle();
    const later = give(here, '2');
    await settle();
    first.resolve(ok());
    const report = await flushed;
    await later;
    expect(report).toEqual({ total: 1, delivered: 1, deadLetters: 0, left: 0 });
  });

  test('a stopped flush starts no sending in lanes that wait for a slot', async () => {
    const here = await pageWith(
      { concurrency: 1 },
      { body: 'a', lane: 'a', id: 'a' },
      { body: 'b', lane: 'b' },
    );
    const first = deferred<Response>(here);
    here.origin.replies(first.work);
    const stop = new AbortController();
    const flushed = here.outbox.flush({ signal: stop.signal });
    await settle();
    stop.abort();
    first.resolve(ok());
    expect(await flushed).toMatchObject({ total: 2, delivered: 1, left: 1 });
    expect(sent(here)).toEqual(['a']);
    // A later flush sends the rest.
    here.host.connectivity.set(false);
    here.host.connectivity.set(true);
    await settle();
    expect(sent(here)).toEqual(['a', 'b']);
  });

  test('flush does not count a dead letter that is replayed during it', async () => {
    const here = page();
    here.origin.replies(status(422));
    await give(here, 'dead', { id: 'dead', lane: 'dead' });
    await giveOffline(here, '1');
    const first = deferred<Response>(here);
    here.origin.replies(first.work);
    here.host.connectivity.set(true);
    const flushed = here.outbox.flush();
    await settle();
    await here.outbox.replay('dead');
    await settle();
    first.resolve(ok());
    expect(await flushed).toEqual({ total: 1, delivered: 1, deadLetters: 0, left: 0 });
    expect(sent(here)).toEqual(['dead', '1', 'dead']);
  });

  test('a stopped flush ends although later calls get their responses', async () => {
    const here = page();
    here.origin.replies(slow(here.clock, 4_000));
    const responses = Promise.all([give(here, '1'), give(here, '2')]);
    expect((await responses).map(({ status }) => status)).toEqual([202, 202]);
    expect(here.clock.ticks()).toBe(2_000);
    const stop = new AbortController();
    const flushed = here.outbox.flush({ signal: stop.signal });
    here.clock.after(500, () => stop.abort());
    expect(await flushed).toMatchObject({ delivered: 1, left: 1 });
    expect(sent(here)).toEqual(['1']);
  });

  test('a stopped flush does not hold back sendings that start while it ends', async () => {
    const here = page();
    await giveOffline(here, '1', '2');
    const first = await startSending(here);
    const stop = new AbortController();
    const flushed = here.outbox.flush({ signal: stop.signal });
    await settle();
    stop.abort();
    await here.outbox.resume();
    first.resolve(ok());
    await flushed;
    await settle();
    expect(sent(here)).toEqual(['1', '2']);
  });
});

test('a signal that is no AbortSignal is an error that says so', async () => {
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
])('a listener of progress that %s does not stop the flush', async (_, onProgress) => {
  const here = page();
  here.host.connectivity.set(false);
  for (const body of ['a', 'b', 'c', 'd']) await give(here, body);
  here.host.connectivity.set(true);
  expect(await here.outbox.flush({ onProgress })).toMatchObject({ delivered: 4, left: 0 });
});
