import { describe, expect, test } from 'vitest';
import type { Cipher, Item } from '../../../src/core/store.ts';
import { contentContext } from '../../../src/policies/outbox/queue/encryption.ts';
import { encryptWith } from '../../../src/stores/encryption.ts';
import { networkError, ok, status } from '../../../src/testing.ts';
import { idOf, type Page, page, reloaded, settle, URL_ } from '../../support/outbox-page.ts';

const newCipher = async (): Promise<Cipher> =>
  encryptWith(
    (await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, [
      'encrypt',
      'decrypt',
    ])) as CryptoKey,
  );

const SECRET = 'the patient is ill';

const write = ({ fetch }: Page, body: BodyInit = SECRET, outbox = {}) =>
  fetch(`${URL_}?about=${encodeURIComponent(SECRET)}`, {
    method: 'POST',
    body,
    holdfast: { outbox: { meta: { about: SECRET }, ...outbox } },
  });

/** The whole content of the store, as text. */
async function written({ store }: Page): Promise<string> {
  const items = await store.range({});
  const bodies = await Promise.all(
    items.map(async ({ key }) => {
      const body = await store.body(key);
      return body === undefined ? '' : new Response(body).text();
    }),
  );
  const bytes = (_: string, value: unknown) =>
    value instanceof Uint8Array ? new TextDecoder().decode(value) : value;
  return decodeURIComponent(JSON.stringify([items, bodies], bytes).replaceAll('%', '%25'));
}

describe('an encrypted outbox', () => {
  test('an encrypted outbox stores nothing of a write and its response in the clear', async () => {
    const here = page({ encryption: await newCipher() });
    here.origin.replies(networkError());
    await write(here);
    expect(await written(here)).not.toContain('patient');
    here.origin.replies(status(422), ok(`noted: ${SECRET}`));
    await here.outbox.flush();
    expect(await written(here)).not.toContain('patient');
    const [dead] = await here.outbox.entries({ state: 'dead-letter' });
    await here.outbox.replay(dead?.id ?? '');
    await settle();
    expect(await written(here)).not.toContain('patient');
    expect(await (await here.outbox.result(dead?.id ?? '')).text()).toBe(`noted: ${SECRET}`);
  });

  test('an encrypted outbox delivers, lists, inspects and edits as any other', async () => {
    const before = page({ encryption: await newCipher() });
    before.origin.replies(networkError());
    const blob = new Blob([SECRET], { type: 'text/x' });
    const id = await idOf(await write(before, blob));
    const here = await reloaded(before, {});
    expect((await here.outbox.entries())[0]).toMatchObject({ id, unreadable: true });
    const again = await reloaded(here, { encryption: await newCipher() });
    expect((await again.outbox.entries())[0]?.unreadable).toBe(true);
  });

  test('an encrypted outbox goes on after a reload with the same key', async () => {
    const cipher = await newCipher();
    const before = page({ encryption: cipher });
    before.origin.replies(networkError());
    await write(before);
    const here = await reloaded(before, { encryption: cipher });
    expect((await here.outbox.entries())[0]).toMatchObject({ meta: { about: SECRET } });
    await here.outbox.flush();
    expect(here.origin.seen.map(({ body }) => body)).toEqual([SECRET, SECRET]);
    expect(here.origin.seen[1]?.url).toContain('about=the%20patient');
  });

  test('an encrypted outbox keeps entries it cannot decrypt as dead letters, and sends them when it can', async () => {
    const cipher = await newCipher();
    const before = page({ encryption: cipher });
    before.origin.replies(networkError());
    const id = await idOf(await write(before));
    const without = await reloaded(before, {});
    await without.outbox.flush();
    expect(without.origin.seen).toHaveLength(1);
    const [dead] = await without.outbox.entries({ state: 'dead-letter' });
    expect(dead).toMatchObject({ id, unreadable: true, reason: { code: 'unreadable' } });
    expect(await without.outbox.request(id)).toBeUndefined();
    const here = await reloaded(without, { encryption: cipher });
    expect((await here.outbox.entries({ state: 'dead-letter' }))[0]?.unreadable).toBeUndefined();
    await here.outbox.replay(id);
    await settle();
    expect(here.origin.seen.map(({ body }) => body)).toEqual([SECRET, SECRET]);
  });

  test('an encrypted outbox delivers entries from before the encryption', async () => {
    const before = page();
    before.origin.replies(networkError());
    await write(before);
    const here = await reloaded(before, { encryption: await newCipher() });
    await here.outbox.flush();
    expect(here.origin.seen.map(({ body }) => body)).toEqual([SECRET, SECRET]);
  });

  test('an encrypted outbox knows why an entry from before the encryption was not delivered', async () => {
    const before = page();
    before.origin.replies(networkError());
    await write(before);
    const here = await reloaded(before, { encryption: await newCipher() });
    here.origin.replies(status(422));
    await here.outbox.flush();
    const [dead] = await here.outbox.entries({ state: 'dead-letter' });
    expect(dead?.reason).toEqual({ code: 'http', status: 422 });
  });

  test('an encrypted outbox sends what an edit has made of an entry from before the encryption', async () => {
    const before = page();
    before.origin.replies(status(422));
    await write(before, SECRET, { id: 'a' });
    const here = await reloaded(before, { encryption: await newCipher() });
    await here.outbox.edit('a', (request) => new Request(request, { body: 'mended' }));
    expect(await (await here.outbox.request('a'))?.text()).toBe('mended');
    await here.outbox.replay('a');
    await settle();
    expect(here.origin.seen.map(({ body }) => body)).toEqual([SECRET, 'mended']);
    expect(await written(here)).not.toContain('patient');
  });

  test('an encrypted outbox merges and edits encrypted entries', async () => {
    const here = page({ encryption: await newCipher() });
    here.host.connectivity.set(false);
    const merge = async (a: Request, b: Request) =>
      new Request(b, { body: `${await a.text()}+${await b.text()}` });
    await write(here, '1', { id: 'a', coalesce: { key: 'log', merge } });
    await write(here, '2', { coalesce: { key: 'log', merge } });
    here.origin.replies(status(400));
    here.host.connectivity.set(true);
    await settle();
    await here.outbox.edit(
      'a',
      async (request) => new Request(request, { body: `${await request.text()}!` }),
    );
    await here.outbox.replay('a', { key: 'new' });
    await settle();
    expect(here.origin.seen.map(({ body }) => body)).toEqual(['1+2', '1+2!']);
  });

  test('an encrypted outbox rejects a write whose `meta` cannot be encrypted', async () => {
    const here = page({ encryption: await newCipher() });
    await expect(write(here, 'x', { meta: { big: 1n } })).rejects.toThrow(
      'expected JSON, which can be encrypted',
    );
    expect(() => page({ encryption: 'secret' as never })).toThrow('outbox.encryption');
  });
});

describe('an encrypted result', () => {
  test('an encrypted result cannot be decrypted under another user or entry', async () => {
    let user = 'bob';
    const here = page({ encryption: await newCipher(), user: () => user });
    here.origin.otherwise(() => ok('balance of bob'));
    await write(here, 'x', { id: 'b1' });
    await write(here, 'x', { id: 'b2' });
    user = 'ann';
    here.origin.otherwise(() => ok('balance of ann'));
    await write(here, 'x', { id: 'a1' });
    const results = (await here.store.range({ prefix: 'result' })) as Item<{ id: string; sealed: unknown }>[];
    const of = (id: string) => results.find(({ value }) => value.id === id) as (typeof results)[number];
    const move = async (from: string, to: string): Promise<void> => {
      const body = await here.store.body(of(from).key);
      const value = { ...of(to).value, sealed: of(from).value.sealed };
      await here.store.write([{ put: { ...of(to), value }, body: body ?? null }]);
    };
    await move('b1', 'a1');
    await expect(here.outbox.result('a1')).rejects.toThrow();
    user = 'bob';
    await move('b1', 'b2');
    await expect(here.outbox.result('b2')).rejects.toThrow();
  });

  test('a result of the user "ann x" is not decrypted as one of "ann"', () => {
    expect(contentContext({ partition: 'ann', cipherContext: 'x y' })).not.toBe(
      contentContext({ partition: 'ann x', cipherContext: 'y' }),
    );
  });
});

test('an entry that a start with another key dead-lettered is delivered by the first replay', async () => {
  const cipher = await newCipher();
  const before = page({ encryption: cipher });
  before.origin.replies(networkError());
  const id = await idOf(await write(before));
  const wrong = await reloaded(before, { encryption: await newCipher() });
  await wrong.outbox.flush();
  const here = await reloaded(wrong, { encryption: cipher });
  expect(await here.outbox.replay(id)).toBe(true);
  await settle();
  expect(await here.outbox.counts()).toMatchObject({ waiting: 0, deadLetters: 0 });
  expect(here.origin.seen.map(({ body }) => body)).toEqual([SECRET, SECRET]);
});

/** Two waiting writes, in lanes of their own, with their stored records. */
async function twoWaiting() {
  const here = page({ encryption: await newCipher() });
  here.host.connectivity.set(false);
  for (const lane of ['one', 'two']) await write(here, lane, { lane });
  const items = await here.store.range({ prefix: 'entry ' });
  const bodies = await Promise.all(items.map(({ key }) => here.store.body(key)));
  return { here, items, bodies };
}

async function sentOf({ host, clock, origin, outbox }: Page) {
  host.connectivity.set(true);
  await settle();
  await clock.advance(120_000);
  const dead = await outbox.entries({ state: 'dead-letter' });
  return { sent: origin.seen.map(({ body }) => body), reasons: dead.map(({ reason }) => reason?.code) };
}

test('bodies that were exchanged in the store are dead letters, and are not sent', async () => {
  const { here, items, bodies } = await twoWaiting();
  const [one, two] = items as [Item, Item];
  await here.store.write([
    { put: one, body: bodies[1] },
    { put: two, body: bodies[0] },
  ]);
  expect(await sentOf(here)).toEqual({ sent: [], reasons: ['unreadable', 'unreadable'] });
});
