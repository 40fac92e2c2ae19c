/** A user signs out while a write is on its way. */
import { describe, expect, test } from 'vitest';
import { status } from '../../../src/testing.ts';
import { type Page, page, settle } from '../../support/outbox-page.ts';
import { give, giveOffline, startSending } from '../../support/outbox-writes.ts';
import { sendsStreams } from '../../support/platform.ts';

const SECRET = 'the balance of ann';

/** All that the store has, as text. */
async function everything({ store }: Page): Promise<string> {
  const items = await store.range({});
  const bodies = await Promise.all(items.map(({ key }) => store.body(key)));
  const texts = await Promise.all(bodies.map((body) => new Response(body ?? null).text()));
  return JSON.stringify([items, texts]);
}

describe('the response to a write that is in flight at a sign-out', () => {
  test.each(['this tab', 'another tab'])('is not stored if the user signs out in %s', async (where) => {
    const here = page({});
    await giveOffline(here, { body: 'a', id: 'a' });
    const response = await startSending(here);
    const there = where === 'this tab' ? here : page({}, here.store, here);
    expect(await there.fetch.signOut({ undelivered: 'keep' })).toEqual({ undelivered: 1, cached: 0 });
    response.resolve(new Response(SECRET, { headers: { 'x-balance': SECRET } }));
    await settle();
    expect(await here.outbox.counts()).toMatchObject({ waiting: 0 });
    expect(await everything(here)).not.toContain(SECRET);
    // The id is known, and its outcome.
    await expect(here.outbox.result('a')).rejects.toMatchObject({ code: 'result-lost' });
  });

  test('is not stored with a dead letter, which is kept', async () => {
    const here = page({});
    await giveOffline(here, { body: 'a', id: 'a' });
    const response = await startSending(here);
    await here.fetch.signOut({ undelivered: 'keep' });
    response.resolve(new Response(SECRET, { status: 422 }));
    await settle();
    expect(await here.outbox.counts()).toMatchObject({ deadLetters: 1 });
    expect(await everything(here)).not.toContain(SECRET);
  });

  test('is stored for a write that is sent after the next sign-in', async () => {
    const here = page({});
    await giveOffline(here, { body: 'a', id: 'a' });
    await here.fetch.signOut({ undelivered: 'keep' });
    (await startSending(here)).resolve(new Response(SECRET));
    await settle();
    expect(await (await here.outbox.result('a')).text()).toBe(SECRET);
  });
});

test.skipIf(!sendsStreams).each(['clear', 'signOut'] as const)(
  'a write whose body is still read is not accepted after a %s',
  async (how) => {
    const here = page({});
    let end = (): void => {};
    const body = new ReadableStream({
      start(controller) {
        end = () => {
          controller.enqueue(new TextEncoder().encode('a'));
          controller.close();
        };
      },
    });
    const init = { body, duplex: 'half' } as RequestInit;
    const write = give(here, '', { id: 'a' }, init);
    const refused = write.catch((error: unknown) => error);
    await settle();
    if (how === 'clear') await here.outbox.clear();
    else await here.fetch.signOut({ undelivered: 'remove' });
    end();
    expect(await refused).toMatchObject({ name: 'UndeliveredError', code: 'outbox-removed', id: 'a' });
    await settle();
    expect(here.origin.seen).toEqual([]);
    expect(await here.outbox.counts()).toMatchObject({ waiting: 0, count: 0 });
    // The next one is accepted.
    expect((await give(here, 'b', { id: 'a' })).status).toBe(200);
  },
);

test('a clear of another user leaves a write whose body is still read', async () => {
  const here = page({});
  here.origin.replies(status(201));
  const write = give(here, 'a');
  await here.outbox.clear({ partition: 'bob' });
  expect((await write).status).toBe(201);
});
