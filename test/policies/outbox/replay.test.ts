/** A lane that is being sent follows the changes of its entries. */
import { describe, expect, test } from 'vitest';
import { ok, status } from '../../../src/testing.ts';
import { deferred } from '../../support/deferred.ts';
import { page, settle } from '../../support/outbox-page.ts';
import { give, giveOffline, sent, startSending } from '../../support/outbox-writes.ts';

describe('a dead letter that is replayed while its lane is sent', () => {
  test('a replayed dead letter does not wait for all entries behind it', async () => {
    const here = page();
    await giveOffline(here, { body: 'x1', lane: 'x', id: 'x1' });
    for (const nth of [2, 3, 4]) await give(here, `x${nth}`, { lane: 'x' });
    const second = await startSending(here, status(422));
    expect(sent(here)).toEqual(['x1', 'x2']);
    expect(await here.outbox.replay('x1')).toBe(true);
    second.resolve(ok());
    await settle();
    expect(sent(here)).toEqual(['x1', 'x2', 'x1', 'x3', 'x4']);
  });

  test('a replay does not send an entry again that is being acknowledged', async () => {
    const here = page();
    here.host.connectivity.set(false);
    for (const nth of [1, 2, 3]) await give(here, `x${nth}`, { id: `x${nth}` });
    const acknowledging = deferred<void>(here);
    const { change } = here.store;
    let changes = 0;
    here.store.change = (async (...args: Parameters<typeof change>) => {
      const isLease = args[0][0]?.startsWith('lease');
      // The second change is the acknowledgement of x2.
      if (!isLease && ++changes === 2) await acknowledging.work();
      return change(...args);
    }) as typeof change;
    here.origin.replies(status(422));
    here.host.connectivity.set(true);
    await settle();
    expect(sent(here)).toEqual(['x1', 'x2']);
    expect(await here.outbox.replay('x1')).toBe(true);
    acknowledging.resolve();
    await settle();
    expect(sent(here)).toEqual(['x1', 'x2', 'x1', 'x3']);
  });
});
