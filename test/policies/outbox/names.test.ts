/** Valid names in an outbox, and what the outbox returns without a user. */
import { expect, test } from 'vitest';
import { createClient, outbox } from '../../../src/index.ts';
import type { CallOutbox } from '../../../src/policies/outbox/options.ts';
import { page, URL_ } from '../../support/outbox-page.ts';
import { give } from '../../support/outbox-writes.ts';

const long = (characters: number): string => 'x'.repeat(characters);

test.each<[string, CallOutbox, string]>([
  ['an empty id', { id: '' }, 'outbox.id'],
  ['an id of 256 characters', { id: long(256) }, 'expected 1 to 255 characters, got 256'],
  ['an empty lane', { lane: '' }, 'outbox.lane'],
  ['a lane of 1,025 characters', { lane: long(1_025) }, 'expected 1 to 1024 characters, got 1025'],
  ['an empty coalesce key', { coalesce: { key: '' } }, 'outbox.coalesce.key'],
  ['a coalesce key of 256 characters', { coalesce: { key: long(256) } }, 'expected 1 to 255 characters'],
])('%s is a ConfigurationError that names the limit', async (_, outbox, message) => {
  const here = page();
  const error = await give(here, 'a', outbox).catch((thrown) => thrown);
  expect(error.code).toBe('configuration');
  expect(error.message).toContain(message);
  expect(error.message.length).toBeLessThan(300);
  expect(await here.outbox.counts()).toMatchObject({ count: 0 });
});

test('names as long as the limits are accepted', async () => {
  const here = page({ user: () => long(1_024) });
  const outbox = { id: long(255), lane: long(1_024), coalesce: { key: long(255) } };
  await give(here, 'a', outbox);
  expect((await here.outbox.result(outbox.id)).status).toBe(200);
});

test('a partition of 1,025 characters is a ConfigurationError of a write', async () => {
  const here = page({ user: () => long(1_025) });
  await expect(give(here, 'a')).rejects.toMatchObject({
    code: 'configuration',
    message: expect.stringContaining('expected 1 to 1024 characters, got 1025'),
  });
});

test('without a user entries() and lanes() are empty, and counts() are 0', async () => {
  const here = page({ user: () => undefined as never });
  expect(await here.outbox.entries()).toEqual([]);
  expect(await here.outbox.lanes()).toEqual([]);
  expect(await here.outbox.counts()).toEqual({ waiting: 0, deadLetters: 0, count: 0, bytes: 0 });
});

test.each<[string, object, RegExp]>([
  ['a header that carries a key', { persistHeaders: ['X-Api-Key'] }, /outbox\.persistHeaders.*authorize/],
  ['a header that carries a token', { persistHeaders: ['X-Auth-Token'] }, /outbox\.persistHeaders/],
  ['a key in Authorization', { idempotencyHeader: 'Authorization' }, /outbox\.idempotencyHeader/],
])('%s is not written to disk: a ConfigurationError', (_, options, message) => {
  expect(() => page(options)).toThrow(message);
});

test('null in place of options is a ConfigurationError, and the write is not sent', async () => {
  const here = page();
  const holdfast = { outbox: null } as never;
  await expect(here.fetch(URL_, { method: 'POST', body: 'a', holdfast })).rejects.toThrow(/outbox: null/);
  expect(here.origin.seen).toEqual([]);
});

test('a queued write with a fetch of its own is a ConfigurationError, and is not sent', async () => {
  const here = page();
  const client = createClient({
    name: 'own fetch',
    partition: 'ann',
    outbox: outbox({ store: here.store }),
    fetch: here.origin.fetch,
  });
  const write = client.post(URL_, { json: 1, outbox: true, fetch: async () => new Response() });
  await expect(write).rejects.toThrow(/fetch: .*sent by the fetch of its client/);
  expect(here.origin.seen).toEqual([]);
  await client.close();
});
