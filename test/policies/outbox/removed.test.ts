/** An entry that is removed while it is sent. */
import { describe, expect, test } from 'vitest';
import { ok } from '../../../src/testing/index.ts';
import { deferred } from '../../support/deferred.ts';
import { durableStore } from '../../support/durable.ts';
import { page, settle } from '../../support/outbox-page.ts';
import { giveOffline, sent, startSending } from '../../support/outbox-writes.ts';

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
