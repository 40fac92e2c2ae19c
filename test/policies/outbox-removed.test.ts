/** What is removed while it is under way, or while somebody begins to wait for it. */
import { describe, expect, test } from 'vitest';
import { ok } from '../../src/testing/index.ts';
import { durableStore } from '../support/durable.ts';
import { held } from '../support/held.ts';
import { page, reloaded, settle, URL_ } from '../support/outbox-page.ts';
import { give, sent } from '../support/outbox-writes.ts';

const dead = async ({ outbox }: ReturnType<typeof page>) =>
  (await outbox.entries({ state: 'dead' })).map(({ id, reason }) => `${id}: ${reason?.code}`);

describe('a write that is removed while it is sent, and that others wait for', () => {
  /** One that is under way, and three that wait for it. */
  async function underWay() {
    const store = durableStore();
    const here = page({}, store);
    here.host.online.set(false);
    await give(here, 'a', { id: 'a', lane: 'a' });
    for (const each of ['b', 'c', 'd']) await give(here, each, { id: each, lane: each, after: 'a' });
    const answer = held<Response>(here);
    here.origin.replies(answer.step);
    here.host.online.set(true);
    await settle();
    return { ...here, answer };
  }

  test('was delivered where that was first: they go out', async () => {
    const here = await underWay();
    const { change } = here.store;
    const late = held<void>(here);
    let changes = 0;
    // What removing writes comes late.
    here.store.change = (async (...args: Parameters<typeof change>) => {
      if (changes++ === 0) await late.step();
      return change(...args);
    }) as typeof change;
    const removing = here.outbox.remove('a');
    await settle();
    here.answer.letGo(ok());
    await settle();
    late.letGo();
    expect(await removing).toBe(false);
    await settle();
    expect((await here.outbox.result('a')).status).toBe(200);
    expect(await dead(here)).toEqual([]);
    expect(sent(here).sort()).toEqual(['a', 'b', 'c', 'd']);
  });

  test('was removed where that was first: they fail with it', async () => {
    const here = await underWay();
    expect(await here.outbox.remove('a')).toBe(true);
    here.answer.letGo(ok());
    await settle();
    expect(await dead(here)).toEqual(['b: dependency', 'c: dependency', 'd: dependency']);
    expect(sent(here)).toEqual(['a']);
    expect(await here.outbox.counts()).toMatchObject({ waiting: 0, count: 0 });
  });

  test('is never left as one that was delivered, wherever the page is killed', async () => {
    let runs = 0;
    for (let [first, more] = [0, true]; more; first++)
      for (const again of [0, 1, 2]) {
        const here = await underWay();
        const before = await killedIn(here, first);
        // And once more in what it does then.
        here.host.online.set(false);
        const next = await reloaded(here);
        await killedIn({ ...here, ...next }, again);
        const later = await reloaded(next);
        later.host.online.set(true);
        await later.outbox.flush();
        const ends = await dead(later);
        // Once by the page that was killed, and then to the end: only so the others may go out.
        const delivered = sent(later).filter((body) => body === 'a').length === 2;
        expect({
          first,
          again,
          sent: sent(later)
            .filter((body) => body !== 'a')
            .sort(),
        }).toEqual({
          first,
          again,
          sent: delivered ? ['b', 'c', 'd'] : [],
        });
        expect(ends.filter((each) => each !== 'a: removed')).toHaveLength(delivered ? 0 : 3);
        await later.fetch.close();
        more = before === 'killed';
        runs++;
      }
    expect(runs).toBeGreaterThan(12);
  });

  /** Removes the first one and dies after so many changes of the store. */
  async function killedIn({ store, outbox }: Awaited<ReturnType<typeof underWay>>, after: number) {
    const { change } = store;
    let changes = 0;
    store.change = ((...args: Parameters<typeof change>) =>
      changes++ < after ? change(...args) : Promise.reject(new Error('it was killed'))) as typeof change;
    const end = await outbox.remove('a').then(
      () => 'removed',
      () => 'killed',
    );
    store.change = change;
    return end;
  }
});

/** Firefox and WebKit take one for text. */
const sendsStreams = ((): boolean => {
  const init = { method: 'POST', body: new ReadableStream(), duplex: 'half' } as RequestInit;
  return !new Request(URL_, init).headers.has('content-type');
})();

test.skipIf(!sendsStreams)(
  'a parent that is removed while the write after it is being read: that one is not sent',
  async () => {
    const here = page();
    here.host.online.set(false);
    await give(here, 'parent', { id: 'parent' });
    let end = (): void => {};
    const body = new ReadableStream({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('child'));
        end = () => controller.close();
      },
    });
    const child = here
      .fetch(URL_, {
        method: 'POST',
        body,
        duplex: 'half',
        holdfast: { outbox: { id: 'child', lane: 'c', after: 'parent' } },
      } as RequestInit)
      .then(
        ({ status }) => status,
        (error) => error.code,
      );
    await settle();
    expect(await here.outbox.remove('parent')).toBe(true);
    end();
    expect(await child).toBe('dependency');
    here.host.online.set(true);
    await settle();
    expect(sent(here)).toEqual([]);
  },
);
