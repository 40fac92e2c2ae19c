/**
 * The stored parts of responses, problems and failed hooks have no credentials, and can be
 * serialized.
 */
import { describe, expect, test } from 'vitest';
import type { OutboxOptions } from '../../../src/policies/outbox/options.ts';
import { ok, status } from '../../../src/testing.ts';
import { type Page, page, settle } from '../../support/outbox-page.ts';
import { give, sent } from '../../support/outbox-writes.ts';

const written = async ({ store }: Page): Promise<string> => JSON.stringify(await store.range({}));

const problem = (body: string): Response =>
  new Response(body, { status: 422, headers: { 'content-type': 'application/problem+json' } });

describe('stored problem details', () => {
  test('a problem nested 3,990 levels deep makes a dead letter without it, and the lane goes on', async () => {
    const here = page();
    here.host.connectivity.set(false);
    await give(here, 'evil', { id: 'evil' });
    await give(here, 'next');
    here.origin.replies(problem('['.repeat(3_990) + ']'.repeat(3_990)));
    here.host.connectivity.set(true);
    await settle();
    expect(sent(here)).toEqual(['evil', 'next']);
    const letters = await here.outbox.entries({ state: 'dead-letter' });
    expect(letters.map(({ id, reason }) => [id, reason])).toEqual([['evil', { code: 'http', status: 422 }]]);
  });

  test('a problem is stored without the credentials that the origin has echoed', async () => {
    const here = page();
    const echo = {
      title: 'no',
      headers: { 'X-Api-Key': 'S3CR3T', accept: '*/*' },
      detail: 'Bearer S3CR3T-x is old',
    };
    here.origin.replies(problem(JSON.stringify(echo)));
    await give(here, 'a', { id: 'a' }).catch(() => {});
    const [letters] = await here.outbox.entries({ state: 'dead-letter' });
    expect(letters?.reason?.problem).toEqual({ title: 'no', headers: { accept: '*/*' }, detail: '… is old' });
  });
});

test('a reason that the store cannot write is written by its code alone', async () => {
  const here = page();
  here.host.connectivity.set(false);
  await give(here, 'a', { id: 'a' });
  const { change } = here.store;
  here.store.change = (async (...[keys, decide, how]: Parameters<typeof change>) =>
    change(
      keys,
      (found) => {
        const decision = decide(found);
        if (JSON.stringify(decision.changes).includes('poison')) throw new RangeError('too deep');
        return decision;
      },
      how,
    )) as typeof change;
  here.origin.replies(problem('{"title":"poison"}'));
  here.host.connectivity.set(true);
  await settle();
  here.store.change = change;
  const letters = await here.outbox.entries({ state: 'dead-letter' });
  expect(letters.map(({ id, reason }) => [id, reason])).toEqual([['a', { code: 'http' }]]);
});

test.each<[string, OutboxOptions, number]>([
  ['authorize', { authorize: () => Promise.reject(new TypeError('S3CR3T')) }, 200],
  ['isDelivered', { isDelivered: () => Promise.reject(new TypeError('S3CR3T')) }, 200],
  ['onConflict', { onConflict: () => Promise.reject(new TypeError('S3CR3T')) }, 409],
])('an error that %s throws is stored by name and code only', async (name, options, code) => {
  const here = page(options);
  here.origin.replies(() => status(code));
  await give(here, 'a', { id: 'a' }).catch(() => {});
  const entries = [
    ...(await here.outbox.entries()),
    ...(await here.outbox.entries({ state: 'dead-letter' })),
  ];
  expect(entries[0]?.reason?.message).toBe(`${name}: TypeError`);
  expect(await written(here)).not.toContain('S3CR3T');
  expect(JSON.stringify(here.emitted('postponed'))).not.toContain('S3CR3T');
});

test.each([
  'set-cookie2',
  'authorization',
  'proxy-authorization',
  'authentication-info',
  'proxy-authentication-info',
  'www-authenticate',
  'proxy-authenticate',
  'x-auth-token',
  'x-amz-security-token',
])('the response header %s is not stored with the result', async (name) => {
  const here = page();
  here.origin.replies(() => ok('done', { headers: { [name]: 'S3CR3T', etag: '"1"' } }));
  await give(here, 'a', { id: 'a' });
  expect(await written(here)).not.toContain('S3CR3T');
  const { headers } = await here.outbox.result('a');
  expect([headers.get(name), headers.get('etag')]).toEqual([null, '"1"']);
});
