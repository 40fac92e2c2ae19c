/** A full disk, and an unavailable key. */
import { describe, expect, test } from 'vitest';
import { StorageError } from '../../../src/core/errors.ts';
import type { Cipher } from '../../../src/core/store.ts';
import { encryptWith } from '../../../src/stores/encryption.ts';
import { status } from '../../../src/testing.ts';
import { statusOf } from '../../support/calls.ts';
import { durableStore, type FaultyStore } from '../../support/durable.ts';
import { page, reloaded, settle } from '../../support/outbox-page.ts';
import { give, sent } from '../../support/outbox-writes.ts';

interface Put {
  put?: { key: string };
}

/** One sender at a time, so that no lease matters here. */
const needsRoom = ({ put }: Put): boolean => put !== undefined && !put.key.startsWith('lease');

/** An operation that only deletes has room. */
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

/** The disk has room for what it has, and for no more. */
function fillUp(store: FaultyStore): void {
  const { change } = store;
  store.change = (async (
    keys: readonly string[],
    decide: (found: never[]) => { changes: Put[] },
    more: object,
  ) =>
    change(
      keys,
      ((found: never[]) => {
        const decision = decide(found);
        const had = new Set(keys.filter((_, at) => found[at] !== undefined));
        if (decision.changes.some(({ put }) => put && !had.has(put.key)))
          throw new DOMException('full', 'QuotaExceededError');
        return decision;
      }) as never,
      more,
    )) as unknown as typeof change;
}

describe('a full disk', () => {
  test('full disk: a delivered write is emitted as delivered, though its response could not be stored', async () => {
    const here = page();
    here.host.connectivity.set(false);
    await give(here, 'a', { id: 'a' });
    const free = fill(here.store);
    here.host.connectivity.set(true);
    await settle();
    free();
    expect(sent(here)).toEqual(['a']);
    expect({
      result: await statusOf(here.outbox.result('a')),
      again: await statusOf(give(here, 'a', { id: 'a' })),
    }).toEqual({
      result: 'result-lost',
      again: 202,
    });
  });

  test('full disk: a blocking dead letter stops its lane', async () => {
    const here = page({ blockLaneOnFailure: true });
    here.host.connectivity.set(false);
    await give(here, 'a', { id: 'a' });
    await give(here, 'b', { id: 'b' });
    fillUp(here.store);
    here.origin.replies(status(422));
    here.host.connectivity.set(true);
    await settle();
    expect(sent(here)).toEqual(['a']);
  });
});

test('full disk: a dead letter without a result ends the wait of another tab', async () => {
  const here = page();
  here.host.connectivity.set(false);
  await give(here, 'a', { id: 'a' });
  const result = statusOf(here.outbox.result('a'));
  // It takes over the name.
  const other = page({}, here.store, here);
  fillUp(here.store);
  other.origin.replies(status(422));
  here.host.connectivity.set(true);
  await settle();
  await here.outbox.flush();
  expect(await result).toBe('dead-lettered');
});

test('a delivered write is not sent again, though its response is too large for the store', async () => {
  const here = page({ pollInterval: '1m' });
  const { change } = here.store;
  // As Deno KV, which takes 64 kB.
  here.store.change = (keys, decide, more) =>
    change(
      keys,
      (found) => {
        const decision = decide(found);
        const isLarge = (decision.changes as readonly Put[]).some(({ put }) => put?.key.startsWith('result'));
        if (isLarge) throw new StorageError('an item of 70000 bytes is too large', { transient: false });
        return decision;
      },
      more,
    );
  await give(here, 'a', { id: 'a' });
  await here.clock.advance(600_000);
  expect(sent(here)).toEqual(['a']);
  expect(await statusOf(here.outbox.result('a'))).toBe('result-lost');
});

test('a key that is unavailable for a moment makes no dead letters', async () => {
  const made = (await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, [
    'encrypt',
    'decrypt',
  ])) as CryptoKey;
  let keyReads = 0;
  // The database of the device's key is blocked once, as another tab is upgrading.
  const cipher: Cipher = encryptWith(async () => {
    if (++keyReads === 1) throw new DOMException('blocked', 'UnknownError');
    return made;
  });
  const store = durableStore();
  const before = page({ encryption: encryptWith(made) }, store);
  before.host.connectivity.set(false);
  await give(before, 'a', { id: 'a' });
  before.host.connectivity.set(true);
  await before.fetch.close();
  const here = page({ encryption: cipher }, store, before);
  await here.outbox.flush();
  await here.outbox.flush();
  expect(await here.outbox.entries({ state: 'dead-letter' })).toEqual([]);
  expect(sent(here)).toEqual(['a']);
});

test('full disk: a lane goes on after its blocking dead letter is removed', async () => {
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

test('full disk: clear leaves nothing of a delivered write with an id', async () => {
  const here = page();
  here.host.connectivity.set(false);
  await give(here, 'a', { id: 'secret-id', meta: 'secret meta' });
  const free = fill(here.store);
  here.host.connectivity.set(true);
  await settle();
  free();
  expect(sent(here)).toEqual(['a']);
  // Its id is all that is left, until the application clears everything.
  expect(JSON.stringify(await here.store.range({}))).not.toContain('secret meta');
  await here.outbox.clear();
  expect(JSON.stringify(await here.store.range({}))).not.toContain('secret');
});
