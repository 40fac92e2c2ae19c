/** Edge cases of sizes, expiry and encryption. */
import { expect, test } from 'vitest';
import { encryptWith } from '../../../src/stores/encryption.ts';
import { indexedDBStore } from '../../../src/stores/indexeddb/indexeddb.ts';
import { status } from '../../../src/testing.ts';
import { type Page, page, settle, URL_ } from '../../support/outbox-page.ts';

const give = (made: Page, body: string, outbox: object = {}, init: RequestInit = {}) =>
  made.fetch(URL_, { method: 'POST', body, ...init, holdfast: { outbox } });

test('an encrypted entry cannot be guessed from its plain fields', async () => {
  const key = (await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, [
    'encrypt',
    'decrypt',
  ])) as CryptoKey;
  const here = page({ encryption: encryptWith(key) });
  here.host.connectivity.set(false);
  await give(here, '{"vote":"no"}', { id: 'a' });
  const rows = JSON.stringify(await here.store.range({}));
  for (const guess of ['{"vote":"yes"}', '{"vote":"no"}']) {
    const hash = await crypto.subtle.digest('SHA-256', new TextEncoder().encode(`POST ${URL_}\n${guess}`));
    const hex = Array.from(new Uint8Array(hash), (byte) => byte.toString(16).padStart(2, '0')).join('');
    expect(rows.includes(hex), guess).toBe(false);
  }
});

test('a body is measured in bytes', async () => {
  const here = page({ maxEntryBytes: 100, maxBytes: 200 });
  here.host.connectivity.set(false);
  await expect(give(here, '€'.repeat(100))).rejects.toMatchObject({ code: 'too-large' });
});

test('the expiry that a call sets holds for its replay', async () => {
  const here = page();
  here.origin.replies(status(422));
  await give(here, 'a', { id: 'a', expiresAfter: '1h' });
  await settle();
  here.host.connectivity.set(false);
  await here.outbox.replay('a');
  const [entry] = await here.outbox.entries();
  expect((entry?.expiresAt ?? 0) - here.clock.now()).toBe(3_600_000);
});

test.skipIf(typeof indexedDB === 'undefined')(
  'a page of entries after the last one is empty, over IndexedDB as over memory',
  async () => {
    const here = page({ store: indexedDBStore({ name: 'outbox odd' }) });
    expect(await here.clock.busy(here.outbox.entries({ after: '\uffff' }))).toEqual([]);
  },
);

test('a `meta` that cannot be encrypted is an error, and not lost', async () => {
  const key = (await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, [
    'encrypt',
    'decrypt',
  ])) as CryptoKey;
  const here = page({ encryption: encryptWith(key) });
  here.host.connectivity.set(false);
  await expect(give(here, 'a', { meta: { tags: new Map([['x', 1]]) } })).rejects.toMatchObject({
    code: 'configuration',
  });
});

test('the store never contains a credential, whatever headers the application keeps', async () => {
  let here: Page | undefined;
  let refused = false;
  try {
    here = page({ persistHeaders: ['authorization'] });
    here.host.connectivity.set(false);
    await give(here, 'a', {}, { headers: { authorization: 'Bearer secret' } });
  } catch {
    refused = true;
  }
  const rows = JSON.stringify(await here?.store.range({}));
  expect({ refused, leaked: rows?.includes('secret') ?? false }).toMatchObject({ leaked: false });
});
