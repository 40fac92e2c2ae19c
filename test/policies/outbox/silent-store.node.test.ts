/** If any operation of the store never responds, no caller waits for ever. */
import { describe, expect, test } from 'vitest';
import type { AtomicStore } from '../../../src/core/store.ts';
import { status } from '../../../src/testing.ts';
import { durableStore, type FaultyStore } from '../../support/durable.ts';
import { guardedStore } from '../../support/guarded-store.ts';
import { type Page, page, settle, URL_ } from '../../support/outbox-page.ts';

const give = (made: Page, body: string, outbox: object = {}) =>
  made.fetch(URL_, { method: 'POST', body, holdfast: { outbox } });

/** The nth operation from `arm(n)` on never responds. */
function hanging(): { store: FaultyStore; arm: (at: number) => void; hit: () => boolean } {
  let left = Infinity;
  const inner: AtomicStore = durableStore();
  const store = guardedStore(inner, (work) => (--left === 0 ? new Promise<never>(() => {}) : work()));
  return {
    store: store as FaultyStore,
    arm: (at) => {
      left = at;
    },
    hit: () => left <= 0,
  };
}

const all = async (of: AsyncIterable<unknown>) => {
  for await (const _ of of);
};

const calls: [string, (here: Page) => Promise<unknown>][] = [
  ['edit', ({ outbox }) => outbox.edit('dead', (request) => new Request(request, { body: 'x' }))],
  ['purge', ({ outbox }) => outbox.purge()],
  ['export', ({ outbox }) => all(outbox.export({ state: 'dead-letter' }))],
  ['clear', ({ outbox }) => outbox.clear()],
  ['flush', ({ outbox }) => outbox.flush()],
  ['resume', ({ outbox }) => outbox.resume()],
];

describe('a management call over a store that hangs', () => {
  test.each(calls)('%s settles although one operation of the store never responds', async (_, call) => {
    const hung: string[] = [];
    const raw: string[] = [];
    for (let at = 1; at < 30; at++) {
      const { store, arm, hit } = hanging();
      const here = page({ pollInterval: '1d' }, store);
      here.origin.replies(status(422));
      await give(here, 'dead', { id: 'dead' });
      here.host.connectivity.set(false);
      await give(here, 'waiting', { id: 'waiting', blockLaneOnFailure: true });
      here.host.connectivity.set(true);
      arm(at);
      let ended: unknown;
      call(here).then(
        () => {
          ended = 'well';
        },
        (error) => {
          ended = error;
        },
      );
      for (let turn = 0; turn < 3; turn++) await settle();
      await here.clock.advance(120_000);
      if (ended === undefined) hung.push(`${at}`);
      else if (ended !== 'well' && (ended as { code?: string }).code !== 'storage')
        raw.push(`${at}: ${ended}`);
      void here.fetch.close();
      if (!hit()) break;
    }
    expect({ hung, raw }).toEqual({ hung: [], raw: [] });
  });
});
