/** An entry that is removed while it is sent. */
import { describe, expect, test } from 'vitest';
import { ok, status } from '../../../src/testing.ts';
import { deferred } from '../../support/deferred.ts';
import { durableStore } from '../../support/durable.ts';
import { page, settle } from '../../support/outbox-page.ts';
import { give, giveOffline, sent, startSending } from '../../support/outbox-writes.ts';
import { noTabs } from '../../support/platform.ts';

describe('remove() of an entry that is being sent', () => {
  /** One entry that is being sent, and the next of its lane. */
  async function underWay() {
    const store = durableStore();
    const here = page({}, store);
    await giveOffline(here, { body: 'a', id: 'a' }, { body: 'b', id: 'b' });
    const response = await startSending(here);
    return { ...here, response };
  }

  test('remove() resolves false if the acknowledgement is first', async () => {
    const here = await underWay();
    const { change } = here.store;
    const late = deferred<void>(here);
    let changes = 0;
    // The write of the removal comes late.
    here.store.change = (async (...args: Parameters<typeof change>) => {
      if (changes++ === 0) await late.work();
      return change(...args);
    }) as typeof change;
    const removing = here.outbox.remove('a');
    await settle();
    here.response.resolve(ok());
    await settle();
    late.resolve();
    expect(await removing).toBe(false);
    await settle();
    expect((await here.outbox.result('a')).status).toBe(200);
    expect(sent(here)).toEqual(['a', 'b']);
  });

  test('remove() removes the entry if it is first, and the lane goes on', async () => {
    const here = await underWay();
    expect(await here.outbox.remove('a')).toBe(true);
    here.response.resolve(ok());
    await settle();
    expect(sent(here)).toEqual(['a', 'b']);
    expect(await here.outbox.counts()).toMatchObject({ waiting: 0, count: 0 });
  });
});

test('a 401 for an entry that was removed pauses nothing, and the next one is sent', async () => {
  const here = page();
  await giveOffline(here, { body: 'a', id: 'a' }, { body: 'b', id: 'b' });
  const response = await startSending(here);
  await here.outbox.remove('a');
  response.resolve(status(401));
  await settle();
  await here.clock.advance(1_000);
  expect((await here.outbox.counts()).paused).toBeUndefined();
  expect(sent(here)).toEqual(['a', 'b']);
});

test.skipIf(noTabs)(
  'remove() by another tab while a write is sent: its caller gets an error at once',
  async () => {
    const here = page({}, durableStore());
    const response = deferred<Response>(here);
    here.origin.replies(response.work);
    const rejected = give(here, 'a', { id: 'a' }).catch((error) => error);
    await settle();
    expect(await page({}, here.store, here).outbox.remove('a')).toBe(true);
    expect(await rejected).toMatchObject({ code: 'outbox-removed' });
    response.resolve(ok());
  },
);

describe('a database that is deleted while a write is sent', () => {
  /** A write in flight, of which the store keeps nothing; then every caller looks for its result. */
  async function deletedUnderWay() {
    const here = page();
    const response = deferred<Response>(here);
    here.origin.replies(async () => {
      const given = await response.work();
      // Longer than the caller's wait.
      await new Promise<void>((done) => void here.clock.after(5_000, done));
      return given;
    });
    const call = give(here, 'a');
    call.catch(() => {});
    await settle();
    await here.store.write((await here.store.range({})).map(({ key }) => ({ delete: key })));
    here.host.connectivity.set(false);
    here.host.connectivity.set(true);
    await settle();
    return { ...here, call, response };
  }

  test('the caller gets the response of the origin', async () => {
    const { call, response } = await deletedUnderWay();
    response.resolve(new Response('done', { status: 201 }));
    expect((await call).status).toBe(201);
  });

  test('the caller gets an error if the origin did not accept it', async () => {
    const { call, response } = await deletedUnderWay();
    response.resolve(status(503));
    expect(await call.catch((error) => error)).toMatchObject({ code: 'outbox-removed' });
  });
});
