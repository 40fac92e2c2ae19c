/** The user changes during an operation. */
import { describe, expect, test } from 'vitest';
import type { OutboxNotification } from '../../../src/policies/outbox/events.ts';
import { ok, status } from '../../../src/testing.ts';
import { durableStore } from '../../support/durable.ts';
import { type Page, page, settle, URL_ } from '../../support/outbox-page.ts';

const give = (made: Page, body: string, outbox: object = {}) =>
  made.fetch(URL_, { method: 'POST', body, holdfast: { outbox } });

describe('another user signs in', () => {
  test('a purge deletes no dead letters of a user that signs in during it', async () => {
    let user = 'ann';
    const store = durableStore();
    const here = page({ user: () => user }, store);
    here.origin.otherwise(() => status(422));
    await give(here, 'a', { id: 'a' });
    user = 'bob';
    await give(here, 'b', { id: 'b' });
    await settle();
    user = 'ann';
    const purging = here.outbox.purge();
    user = 'bob';
    expect(await purging).toBe(1);
    expect(await here.outbox.entries({ state: 'dead-letter' })).toMatchObject([{ id: 'b' }]);
  });

  test('an export has no entries of a user that signs in during it', async () => {
    let user = 'ann';
    const here = page({ user: () => user });
    here.host.connectivity.set(false);
    await give(here, 'a1');
    user = 'bob';
    await give(here, 'b1');
    user = 'ann';
    const exported: string[] = [];
    for await (const { entry } of here.outbox.export()) {
      exported.push(entry.partition);
      user = 'bob';
    }
    expect(exported).toEqual(['ann']);
  });

  test('a user that signs in during a sending receives no event of it', async () => {
    let user = 'ann';
    const here = page({ user: () => user });
    const received: OutboxNotification[] = [];
    here.outbox.subscribe((event) => {
      if (user === 'bob') received.push(event);
    });
    let letGo = (_: Response): void => {};
    const response = new Promise<Response>((give) => {
      letGo = give;
    });
    here.origin.replies(() => here.clock.busy(response));
    const given = give(here, 'a', { id: 'a', meta: { secret: 'of ann' } });
    await settle();
    user = 'bob';
    letGo(ok());
    await given;
    await settle();
    expect(received).toEqual([]);
  });

  test('a write has no credentials of a user that signed in during `authorize`', async () => {
    let user = 'ann';
    let session = 'ann';
    const signedFor: string[] = [];
    const here = page({
      user: () => user,
      async authorize(request, { partition }) {
        if (signedFor.push(partition) === 1) {
          // Bob signs in, and reads; Ann comes back.
          session = user = 'bob';
          await here.fetch(URL_);
          user = 'ann';
        }
        request.headers.set('authorization', `Bearer ${session}`);
        session = user;
        return undefined;
      },
    });
    await give(here, 'a', { id: 'a' });
    await settle();
    await here.outbox.flush();
    const writes = here.origin.seen.filter(({ method }) => method === 'POST');
    expect(writes.map(({ headers }) => headers.get('authorization'))).toEqual(['Bearer ann']);
  });

  test('a user receives no event of entries that clear removes for another user', async () => {
    let user = 'ann';
    const here = page({ user: () => user });
    here.host.connectivity.set(false);
    await give(here, 'a', { id: 'a', meta: { secret: 'of ann' } });
    user = 'bob';
    const received: OutboxNotification[] = [];
    here.outbox.subscribe((event) => received.push(event));
    await here.outbox.clear({ partition: 'ann' });
    expect(received).toEqual([]);
  });
});
