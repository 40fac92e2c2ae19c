/** Somebody else signs in, in the middle of something. */
import { describe, expect, test } from 'vitest';
import type { OutboxNotification } from '../../../src/policies/outbox/events.ts';
import { ok, status } from '../../../src/testing/index.ts';
import { durableStore } from '../../support/durable.ts';
import { type Page, page, settle, URL_ } from '../../support/outbox-page.ts';

const give = (made: Page, body: string, outbox: object = {}) =>
  made.fetch(URL_, { method: 'POST', body, holdfast: { outbox } });

describe('somebody else signs in', () => {
  test('in the middle of a purge: their dead letters stay', async () => {
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

  test('in the middle of an export: it has nothing of theirs', async () => {
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

  test('while a write is sent: they do not hear of it', async () => {
    let user = 'ann';
    const here = page({ user: () => user });
    const heard: OutboxNotification[] = [];
    here.outbox.subscribe((news) => {
      if (user === 'bob') heard.push(news);
    });
    let letGo = (_: Response): void => {};
    const answer = new Promise<Response>((give) => {
      letGo = give;
    });
    here.origin.replies(() => here.clock.busy(answer));
    const given = give(here, 'a', { id: 'a', meta: { secret: 'of ann' } });
    await settle();
    user = 'bob';
    letGo(ok());
    await given;
    await settle();
    expect(heard).toEqual([]);
  });

  test('while `authorize` works for the first user: a write does not go with the credentials of the second', async () => {
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

  test('and what was is cleared: they do not hear of it', async () => {
    let user = 'ann';
    const here = page({ user: () => user });
    here.host.connectivity.set(false);
    await give(here, 'a', { id: 'a', meta: { secret: 'of ann' } });
    user = 'bob';
    const heard: OutboxNotification[] = [];
    here.outbox.subscribe((news) => heard.push(news));
    await here.outbox.clear({ partition: 'ann' });
    expect(heard).toEqual([]);
  });
});
