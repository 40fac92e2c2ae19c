/**
 * Ids and keys of the application: of merged writes, of writes that wait, of writes that are sent
 * again.
 */
import { describe, expect, test } from 'vitest';
import { pipeline } from '../../../src/core/pipeline.ts';
import { outboxPolicy } from '../../../src/policies/outbox/outbox.ts';
import { memoryStore } from '../../../src/stores/memory.ts';
import { status } from '../../../src/testing.ts';
import { statusOf } from '../../support/calls.ts';
import { type Page, page, settle } from '../../support/outbox-page.ts';
import { give } from '../../support/outbox-writes.ts';

describe('an id that is used twice for the same write', () => {
  const append = async (earlier: Request, later: Request) =>
    new Request(later, { body: `${await earlier.text()}+${await later.text()}` });

  test('an id that is used twice is one entry, even if writes are merged', async () => {
    const here = page();
    here.host.connectivity.set(false);
    await give(here, 'a', { id: 'a', coalesce: { key: 'k', merge: append } });
    await give(here, 'b', { id: 'b', coalesce: { key: 'k', merge: append } });
    // A double click.
    const again = await statusOf(give(here, 'b', { id: 'b', coalesce: { key: 'k', merge: append } }));
    expect(again).toBe(202);
  });

  test('an id that is used twice for the first write of a coalesce key is one entry', async () => {
    const here = page();
    here.host.connectivity.set(false);
    await give(here, 'a', { id: 'a', coalesce: { key: 'k', merge: append } });
    const again = await statusOf(give(here, 'a', { id: 'a', coalesce: { key: 'k', merge: append } }));
    expect(again).toBe(202);
  });
});

test('an id of a dead letter whose result has expired is no queued write', async () => {
  const here = page();
  here.origin.replies(status(422));
  await give(here, 'a', { id: 'a' });
  expect(await statusOf(give(here, 'a', { id: 'a' }))).toBe(422);
  await here.clock.advance(25 * 3_600_000);
  expect(await statusOf(here.outbox.result('a'))).toBe('dead-lettered');
  expect(await statusOf(give(here, 'a', { id: 'a' }))).toBe('dead-lettered');
});

describe('an idempotency key in a header of the application', () => {
  test('a key of the application is replaced after an edit, and on request', async () => {
    const here = page();
    here.origin.replies(status(422), status(422));
    await give(here, 'a', { id: 'a' }, { headers: { 'Idempotency-Key': '"mine"' } });
    await settle();
    await here.outbox.edit('a', (request) => new Request(request, { body: 'b' }));
    await here.outbox.replay('a');
    await settle();
    await here.outbox.replay('a', { key: 'new' });
    await settle();
    const keys = here.origin.seen.map(({ headers }) => headers.get('idempotency-key'));
    expect(keys[0]).toBe('"mine"');
    expect(new Set(keys).size).toBe(3);
  });

  test('a key of the application is replaced after an edit, though `persistHeaders` names its header', async () => {
    const here = page({ persistHeaders: ['Idempotency-Key'] });
    here.origin.replies(status(422));
    await give(here, 'a', { id: 'a' }, { headers: { 'Idempotency-Key': '"mine"' } });
    await here.outbox.edit('a', (request) => new Request(request, { body: 'b' }));
    await here.outbox.replay('a');
    await settle();
    const keys = here.origin.seen.map(({ headers }) => headers.get('idempotency-key'));
    expect(new Set(keys).size).toBe(2);
  });

  test('a key of the application is replaced for the request that solves a conflict', async () => {
    const here = page({ onConflict: (_, __, request) => new Request(request, { body: 'mended' }) });
    here.origin.replies(status(412));
    await give(here, 'a', { id: 'a' }, { headers: { 'Idempotency-Key': '"mine"' } });
    await settle();
    const keys = here.origin.seen.map(({ headers }) => headers.get('idempotency-key'));
    expect(new Set(keys).size).toBe(2);
  });
});

describe('ids of merged writes', () => {
  const three = async (here: Page) => {
    here.host.connectivity.set(false);
    await give(here, '1', { coalesce: { key: 'k' } });
    await give(here, '2', { coalesce: { key: 'k' }, id: 'two' });
    await give(here, '3', { coalesce: { key: 'k' } });
  };

  test('ids of merged writes are free again when the entry is removed', async () => {
    const here = page();
    await three(here);
    const [entry] = await here.outbox.entries();
    expect(await here.outbox.remove(entry?.id ?? '')).toBe(true);
    expect(await statusOf(give(here, '2', { id: 'two' }))).toBe(202);
    expect(await here.outbox.entries()).toHaveLength(1);
  });

  test('ids of merged writes leave nothing of a user after clear', async () => {
    const here = page();
    await three(here);
    await here.outbox.clear();
    const left = (await here.store.range({})).filter(({ key }) => !key.startsWith('totals'));
    expect(left).toEqual([]);
  });
});

test('a name of half a character is a configuration error', () => {
  let thrown: unknown;
  try {
    pipeline([outboxPolicy({ store: memoryStore() }, memoryStore)], { name: '\ud800', partition: 'x' });
  } catch (error) {
    thrown = error;
  }
  expect(thrown).toMatchObject({ code: 'configuration' });
});
