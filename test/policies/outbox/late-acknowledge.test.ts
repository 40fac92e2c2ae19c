/** An acknowledgement fails, comes late, or does not come at all. */
import { describe, expect, test } from 'vitest';
import type { Cipher } from '../../../src/core/store.ts';
import { encryptWith } from '../../../src/stores/encryption.ts';
import { ok } from '../../../src/testing.ts';
import { deferred } from '../../support/deferred.ts';
import { durableStore, type FaultyStore } from '../../support/durable.ts';
import { type Page, page, reloaded, settle, URL_ } from '../../support/outbox-page.ts';

const send = (made: Page, method: string, body?: string) =>
  made.fetch(URL_, { method, ...(body && { body }), holdfast: { outbox: true } });
const sent = ({ origin }: Page) => origin.seen.map(({ method, body }) => `${method} ${body}`);

describe('a DELETE and the PUT after it, without idempotency keys', () => {
  test('the PUT is applied last, though the acknowledgement of the DELETE failed once', async () => {
    const store = durableStore();
    const here = page({}, store);
    here.host.connectivity.set(false);
    await send(here, 'DELETE');
    await send(here, 'PUT', 'new');
    const { change } = store;
    let failures = 1;
    store.change = (async (...args: Parameters<typeof change>) => {
      if (failures-- > 0) throw new DOMException('just once', 'UnknownError');
      return change(...args);
    }) as typeof change;
    here.host.connectivity.set(true);
    await settle();
    await here.outbox.flush();
    expect(await here.outbox.counts()).toMatchObject({ waiting: 0 });
    expect(sent(here).at(-1)).toBe('PUT new');
  });

  test('the PUT is applied last, though the page died while it encrypted the long response to the DELETE', async () => {
    const key = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, [
      'encrypt',
      'decrypt',
    ]);
    const inner = encryptWith(key as CryptoKey);
    const store = durableStore();
    let isDead = false;
    const { change } = store;
    const mortal = {
      ...store,
      change: (...args: Parameters<typeof change>) =>
        isDead ? Promise.reject(new Error('it was killed')) : change(...args),
    } as typeof store;
    const encrypting = { large: (): Promise<void> => Promise.resolve() };
    const cipher: Cipher = {
      ...inner,
      async encrypt(plain, context) {
        if (plain.byteLength > 100_000) await encrypting.large();
        return inner.encrypt(plain, context);
      },
    };
    const before = page({ encryption: cipher }, mortal);
    const long = deferred<void>(before);
    encrypting.large = long.work;
    before.host.connectivity.set(false);
    await send(before, 'DELETE');
    await send(before, 'PUT', 'new');
    before.origin.replies(ok(new Uint8Array(200_000)), ok());
    before.host.connectivity.set(true);
    await settle();
    expect(sent(before)).toEqual(['DELETE ']);
    isDead = true;
    long.resolve();
    const here = await reloaded({ ...before, store }, { encryption: cipher });
    // Without Web Locks the lease of the killed page has to expire.
    await here.clock.advance(60_000);
    await here.outbox.flush();
    expect(sent(here).at(-1)).toBe('PUT new');
  });
});

test('an acknowledgement that timed out is not committed later, when the entry is sent again', async () => {
  const store = durableStore();
  const here = page({}, store);
  here.host.connectivity.set(false);
  await send(here, 'DELETE');
  await send(here, 'PUT', 'new');
  const { change } = store;
  let late: (() => void) | undefined;
  store.change = ((...args: Parameters<typeof change>) => {
    if (late) return change(...args);
    return new Promise((resolve, reject) => {
      late = () => void change(...args).then(resolve as never, reject);
    });
  }) as typeof change;
  here.host.connectivity.set(true);
  await here.clock.advance(10_000);
  expect(here.emitted('store-failed')).toMatchObject([{ operation: 'drain' }]);
  late?.();
  await settle();
  expect(await here.outbox.counts()).toMatchObject({ waiting: 2 });
  await here.outbox.flush();
  expect(await here.outbox.counts()).toMatchObject({ waiting: 0 });
  expect(sent(here).at(-1)).toBe('PUT new');
});

/** The disk has no room for records of these kinds. @returns makes room. */
function fillDisk(store: FaultyStore, ...kinds: string[]): () => void {
  const { change } = store;
  store.change = ((keys, decide, options) =>
    change(
      keys,
      (found) => {
        const decision = decide(found);
        const written = decision.changes.flatMap((each) => ('put' in each ? each.put.key : []));
        if (written.some((key) => kinds.some((kind) => key.startsWith(kind))))
          throw new DOMException('full', 'QuotaExceededError');
        return decision;
      },
      options,
    )) as typeof change;
  return () => {
    store.change = change;
  };
}

describe('acknowledging on a full disk', () => {
  async function delivered(...kinds: string[]): Promise<Page> {
    const store = durableStore();
    const here = page({}, store);
    here.host.connectivity.set(false);
    for (const body of ['1', '2', '3']) await send(here, 'POST', body);
    const makeRoom = fillDisk(store, ...kinds);
    here.host.connectivity.set(true);
    await settle();
    makeRoom();
    expect(sent(here)).toEqual(['1', '2', '3'].map((body) => `POST ${body}`));
    return here;
  }

  test('drops the response and goes on', async () => {
    const here = await delivered('result');
    expect(await here.outbox.counts()).toMatchObject({ waiting: 0, count: 0, bytes: 0 });
  });

  test('leaves totals that are right again once there is room', async () => {
    const here = await delivered('result', 'totals');
    expect(await here.outbox.counts()).toMatchObject({ waiting: 0, count: 3, bytes: 3 });
    await here.clock.advance(3_600_000);
    await settle();
    expect(await here.outbox.counts()).toMatchObject({ waiting: 0, count: 0, bytes: 0 });
  });
});

test('acknowledging lowers the totals by the size of the delivered entry', async () => {
  const store = durableStore();
  const here = page({}, store);
  here.host.connectivity.set(false);
  for (const body of ['1', '22', '333']) await send(here, 'POST', body);
  await here.outbox.pause({ lane: 'other' });
  await here.fetch(URL_, { method: 'POST', body: '4444', holdfast: { outbox: { lane: 'other' } } });
  here.host.connectivity.set(true);
  await settle();
  expect(await here.outbox.counts()).toMatchObject({ waiting: 1, count: 1, bytes: 4 });
});
