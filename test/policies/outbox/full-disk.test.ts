/** No room on the disk, and a key that is not to be had. */
import { describe, expect, test } from 'vitest';
import type { Cipher } from '../../../src/core/store.ts';
import { encryptWith } from '../../../src/stores/encryption.ts';
import { status } from '../../../src/testing/index.ts';
import { durableStore, type FaultyStore } from '../../support/durable.ts';
import { type Page, page, reloaded, settle, URL_ } from '../../support/outbox-page.ts';

const give = (made: Page, body: string, outbox: object = {}, init: RequestInit = {}) =>
  made.fetch(URL_, { method: 'POST', body, ...init, holdfast: { outbox } });
const sent = ({ origin }: Page) => origin.seen.map(({ body }) => body);
const code = (work: Promise<unknown>) =>
  work.then(
    (value) => (value instanceof Response ? value.status : value),
    (error) => error.code ?? error,
  );

interface Put {
  put?: { key: string };
}

/** Who sends is not what this is about. */
const needsRoom = ({ put }: Put): boolean => put !== undefined && !put.key.startsWith('lease');

/** What only deletes has room. */
function fill(store: FaultyStore): () => void {
  const { change } = store;
  store.change = (async (
    keys: readonly string[],
    decide: (found: never) => { changes: Put[] },
    more: object,
  ) =>
    change(
      keys,
      ((found: never) => {
        const decision = decide(found);
        if (decision.changes.some(needsRoom)) throw new DOMException('full', 'QuotaExceededError');
        return decision;
      }) as never,
      more,
    )) as unknown as typeof change;
  return () => {
    store.change = change;
  };
}

describe('on a full disk', () => {
  test('a write that was delivered is said to be, though its answer could not be kept', async () => {
    const here = page();
    here.host.connectivity.set(false);
    await give(here, 'a', { id: 'a' });
    const free = fill(here.store);
    here.host.connectivity.set(true);
    await settle();
    free();
    expect(sent(here)).toEqual(['a']);
    expect({
      result: await code(here.outbox.result('a')),
      again: await code(give(here, 'a', { id: 'a' })),
    }).toEqual({
      result: 'result-lost',
      again: 202,
    });
  });

  test('a dead letter stops its lane where it is strict', async () => {
    const here = page({ blockLaneOnFailure: true });
    here.host.connectivity.set(false);
    await give(here, 'a', { id: 'a' });
    await give(here, 'b', { id: 'b' });
    const { change } = here.store;
    let full = false;
    // There is room for what is there already, and for no more.
    here.store.change = (async (
      keys: readonly string[],
      decide: (found: never[]) => { changes: { put?: { key: string } }[] },
      more: object,
    ) =>
      change(
        keys,
        ((found: never[]) => {
          const decision = decide(found);
          const had = new Set(keys.filter((_, at) => found[at] !== undefined));
          if (full && decision.changes.some((each) => each.put && !had.has(each.put.key)))
            throw new DOMException('full', 'QuotaExceededError');
          return decision;
        }) as never,
        more,
      )) as unknown as typeof change;
    here.origin.replies(status(422));
    full = true;
    here.host.connectivity.set(true);
    await settle();
    expect(sent(here)).toEqual(['a']);
  });
});

test('a key that cannot be had for a moment makes no dead letters', async () => {
  const made = (await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, [
    'encrypt',
    'decrypt',
  ])) as CryptoKey;
  let asked = 0;
  // The database of the device's key is blocked once, as another tab is upgrading.
  const codec: Cipher = encryptWith(async () => {
    if (++asked === 1) throw new DOMException('blocked', 'UnknownError');
    return made;
  });
  const store = durableStore();
  const before = page({ encryption: encryptWith(made) }, store);
  before.host.connectivity.set(false);
  await give(before, 'a', { id: 'a' });
  before.host.connectivity.set(true);
  await before.fetch.close();
  const here = page({ encryption: codec }, store, before);
  await here.outbox.flush();
  await here.outbox.flush();
  expect(await here.outbox.entries({ state: 'dead-letter' })).toEqual([]);
  expect(sent(here)).toEqual(['a']);
});

test('a full disk: removing the dead letter that stops a lane lets it go on', async () => {
  const store = durableStore();
  const here = page({ blockLaneOnFailure: true }, store);
  here.host.connectivity.set(false);
  await give(here, 'a', { id: 'a' });
  await give(here, 'b', { id: 'b' });
  here.origin.replies(status(422));
  here.host.connectivity.set(true);
  await settle();
  const free = fill(store);
  expect(await here.outbox.remove('a')).toBe(true);
  free();
  const later = await reloaded(here, { blockLaneOnFailure: true });
  await later.outbox.resume();
  await later.outbox.flush();
  expect(sent(later)).toEqual(['a', 'b']);
});

test('a full disk: clear leaves nothing of a write with an id that was delivered then', async () => {
  const here = page();
  here.host.connectivity.set(false);
  await give(here, 'a', { id: 'secret-id', meta: 'secret meta' });
  const free = fill(here.store);
  here.host.connectivity.set(true);
  await settle();
  free();
  expect(sent(here)).toEqual(['a']);
  // Its id is all that is left, until somebody has everything removed.
  expect(JSON.stringify(await here.store.range({}))).not.toContain('secret meta');
  await here.outbox.clear();
  expect(JSON.stringify(await here.store.range({}))).not.toContain('secret');
});
