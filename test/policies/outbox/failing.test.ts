import { describe, expect, test } from 'vitest';
import type { CallOutbox, OutboxOptions } from '../../../src/policies/outbox/options.ts';
import { brokenBody, hang, networkError, ok, status } from '../../../src/testing.ts';
import { type Page, page, reloaded, settle, URL_ } from '../../support/outbox-page.ts';
import { pageWith, startSending } from '../../support/outbox-writes.ts';

const post = ({ fetch }: Page, body: string, outbox: CallOutbox = {}, init: RequestInit = {}) =>
  fetch(URL_, { method: 'POST', body, ...init, holdfast: { outbox: { id: body, ...outbox } } });

const sent = ({ origin }: Page): string[] => origin.seen.map(({ body }) => body);
const keys = ({ origin }: Page): (string | null)[] =>
  origin.seen.map(({ headers }) => headers.get('idempotency-key'));

const deadLettersOf = async ({ outbox }: Page): Promise<(string | number | undefined)[][]> =>
  (await outbox.entries({ state: 'dead-letter' })).map(({ id, reason }) => [
    id,
    reason?.code,
    reason?.status,
  ]);

/** A page with one dead letter, `order`. */
async function withDeadLetter(options: OutboxOptions = {}): Promise<Page> {
  const here = page(options);
  here.origin.replies(status(422));
  await post(here, 'order');
  return here;
}

/** A response after a redirect to another origin. */
const redirected = (): Response =>
  Object.defineProperties(ok('done'), {
    redirected: { value: true },
    url: { value: 'https://else.example.net/' },
  });

describe('a conflict', () => {
  test('onConflict may solve a conflict by another request, under a key of its own', async () => {
    const here = page({
      async onConflict(response, entry, request) {
        expect([await response.text(), entry.id]).toEqual(['theirs', 'mine']);
        return new Request(request, {
          body: `${await request.text()}+theirs`,
          headers: { 'if-match': '"2"' },
        });
      },
    });
    here.origin.replies(ok('theirs', { status: 412 }), ok('merged'));
    expect(await (await post(here, 'mine', {}, { headers: { 'if-match': '"1"' } })).text()).toBe('merged');
    expect(sent(here)).toEqual(['mine', 'mine+theirs']);
    expect(here.origin.seen.map(({ headers }) => headers.get('if-match'))).toEqual(['"1"', '"2"']);
    expect(new Set(keys(here)).size).toBe(2);
    expect(await here.outbox.counts()).toMatchObject({ waiting: 0, count: 0, bytes: 0 });
  });

  test('the request that solved a conflict is sent after a reload', async () => {
    const before = page({ onConflict: (_, __, request) => new Request(request, { body: 'other' }) });
    before.origin.replies(status(409), networkError());
    await post(before, 'mine');
    const here = await reloaded(before);
    await here.outbox.flush();
    expect(sent(here)).toEqual(['mine', 'other', 'other']);
  });

  test('a conflict that is never solved ends with the attempts', async () => {
    const here = page({ attempts: 3, onConflict: (_, __, request) => new Request(request) });
    here.origin.otherwise(() => status(409));
    await post(here, 'mine');
    expect(sent(here)).toHaveLength(3);
    expect(await deadLettersOf(here)).toEqual([['mine', 'attempts', 409]]);
  });

  test('a conflict whose solution cannot be stored is a dead letter with that reason', async () => {
    const tooLarge = page({
      maxEntryBytes: 10,
      onConflict: () => new Request(URL_, { method: 'POST', body: 'more than ten' }),
    });
    tooLarge.origin.replies(status(412));
    await post(tooLarge, 'mine');
    const [entry] = await tooLarge.outbox.entries({ state: 'dead-letter' });
    expect(entry?.reason).toMatchObject({
      code: 'http',
      status: 412,
      message: expect.stringMatching('larger than 10 bytes'),
    });
  });
});

describe('a 2xx', () => {
  test('a 2xx that isDelivered rejects is no delivery, and costs no attempt', async () => {
    const portal = () => ok('<html>Sign in', { headers: { 'content-type': 'text/html' } });
    const here = page({ isDelivered: ({ headers }) => headers.get('content-type') !== 'text/html' });
    here.origin.replies(portal(), portal(), ok('done'));
    await post(here, 'order');
    const [entry] = await here.outbox.entries();
    expect(entry).toMatchObject({ attempts: 0, reason: { code: 'not-accepted', status: 200 } });
    await here.clock.advance(600_000);
    expect(await (await here.outbox.result('order')).text()).toBe('done');
    expect(new Set(keys(here)).size).toBe(1);
  });

  test('a write whose isDelivered throws is sent again', async () => {
    const here = page({ isDelivered: () => Promise.reject(new Error('mine')) });
    await post(here, 'order');
    const [entry] = await here.outbox.entries();
    expect(entry?.reason).toMatchObject({ code: 'not-accepted', message: 'isDelivered: Error' });
  });

  test('a 2xx that isDelivered has read is still the caller’s', async () => {
    const here = page({ isDelivered: async (response) => (await response.text()) === 'done' });
    here.origin.replies(ok('done'));
    expect(await (await post(here, 'order')).text()).toBe('done');
  });
});

describe('an at-most-once write', () => {
  const once = { delivery: 'at-most-once' } as const;

  test.each([
    ['a lost response', networkError(), undefined],
    ['no response in time', hang(), undefined],
    ['a gateway that lost the response', status(504), 504],
    ['an error of the origin', status(500), 500],
    ['a redirect to another origin', redirected(), 200],
  ])('an at-most-once write is not sent again after %s', async (_, reply, code) => {
    const here = page(once);
    here.origin.replies(reply);
    const response = post(here, 'order').catch(() => {});
    await here.clock.advance(600_000);
    await response;
    expect(sent(here)).toEqual(['order']);
    expect(await deadLettersOf(here)).toEqual([['order', 'unknown-outcome', code]]);
  });

  test.each([
    ['was rejected with 503', status(503)],
    ['was rejected with 429', status(429)],
    ['was rejected with 425', status(425)],
  ])('an at-most-once write is sent again if it %s', async (_, reply) => {
    const here = page(once);
    here.origin.replies(reply);
    await post(here, 'order');
    await here.clock.advance(600_000);
    expect(sent(here)).toEqual(['order', 'order']);
    expect(await deadLettersOf(here)).toEqual([]);
  });

  test('an at-most-once write is sent again if isDelivered says that the response is not the origin’s', async () => {
    let isOrigin = false;
    const here = page({ ...once, isDelivered: () => isOrigin });
    await post(here, 'order');
    isOrigin = true;
    await here.outbox.flush();
    expect(sent(here)).toEqual(['order', 'order']);
    expect(await deadLettersOf(here)).toEqual([]);
  });

  test('an at-most-once write is not sent again if isDelivered throws on the 201', async () => {
    const here = page({
      ...once,
      isDelivered: () => {
        throw new SyntaxError('Unexpected end of JSON input');
      },
    });
    here.origin.otherwise(status(201));
    await post(here, 'order').catch(() => {});
    await here.outbox.flush();
    expect(sent(here)).toEqual(['order']);
    expect(await deadLettersOf(here)).toEqual([['order', 'unknown-outcome', 201]]);
  });

  test('an at-most-once write is sent again if no request was sent', async () => {
    let token = false;
    const here = page({
      ...once,
      authorize: () => (token ? undefined : Promise.reject(new Error('no token'))),
    });
    await post(here, 'order');
    token = true;
    await here.outbox.flush();
    expect(sent(here)).toEqual(['order']);
    expect(await deadLettersOf(here)).toEqual([]);
  });

  test('an at-most-once write is sent if its user signed out before the first request', async () => {
    let user = 'ann';
    const here = page({
      ...once,
      user: () => user,
      authorize: () => {
        user = 'bob';
      },
    });
    await post(here, 'order');
    expect(sent(here)).toEqual([]);
    user = 'ann';
    expect((await here.outbox.entries())[0]?.claimedAt).toBeUndefined();
    expect(await deadLettersOf(here)).toEqual([]);
  });

  test('an at-most-once write is not sent again after a reload', async () => {
    const before = page(once);
    before.origin.replies(hang());
    const response = post(before, 'order').catch(() => {});
    await settle();
    const here = await reloaded(before, once);
    await response;
    await here.outbox.flush();
    expect(sent(here)).toEqual(['order']);
    expect(await deadLettersOf(here)).toEqual([['order', 'unknown-outcome', undefined]]);
  });

  test('an at-most-once write that was being sent has an unknown outcome, though it has expired since', async () => {
    const before = await pageWith(once, { body: 'order', id: 'order', expiresAfter: '1m' });
    const response = await startSending(before);
    await before.fetch.close();
    // Too late; time goes on.
    response.resolve(ok());
    await before.clock.advance(120_000);
    const here = page(once, before.store, before);
    await here.outbox.flush();
    expect(await deadLettersOf(here)).toEqual([['order', 'unknown-outcome', undefined]]);
  });

  test('delivery at-most-once holds for one call, and not for idempotent methods', async () => {
    const here = page();
    here.origin.otherwise(networkError());
    await post(here, 'order', once).catch(() => {});
    await post(here, 'saved', { ...once, lane: 'other' }, { method: 'PUT' });
    await post(here, 'plain', { lane: 'third' });
    expect(await deadLettersOf(here)).toEqual([['order', 'unknown-outcome', undefined]]);
    expect(await here.outbox.counts()).toMatchObject({ waiting: 2 });
  });
});

describe('a dead letter', () => {
  test('a dead letter can be inspected, with its body', async () => {
    const here = await withDeadLetter({ persistHeaders: ['x-kept'] });
    const request = await here.outbox.request('order');
    expect([request?.method, request?.url, await request?.text()]).toEqual(['POST', URL_, 'order']);
    expect(await here.outbox.request('nobody')).toBeUndefined();
  });

  test('an edited dead letter is sent under a new key', async () => {
    const here = await withDeadLetter();
    const edited = await here.outbox.edit('order', async (request, entry) => {
      expect(entry.reason).toMatchObject({ code: 'http', status: 422 });
      return new Request(`${request.url}/2`, { method: 'PUT', body: `${await request.text()} mended` });
    });
    expect(edited).toBe(true);
    expect(sent(here)).toEqual(['order']);
    await here.outbox.replay('order');
    await settle();
    expect(here.origin.seen.map(({ method, url, body }) => [method, url, body])).toEqual([
      ['POST', URL_, 'order'],
      ['PUT', `${URL_}/2`, 'order mended'],
    ]);
    expect(new Set(keys(here)).size).toBe(2);
    expect(await here.outbox.counts()).toMatchObject({ waiting: 0, deadLetters: 0, count: 0, bytes: 0 });
  });

  test('an edit that cannot be stored rejects, and the dead letter stays', async () => {
    const here = await withDeadLetter({ maxEntryBytes: 10 });
    const into = (body: string) => () => new Request(URL_, { method: 'POST', body });
    await expect(here.outbox.edit('order', into('more than ten'))).rejects.toMatchObject({
      code: 'too-large',
    });
    await expect(here.outbox.edit('order', (() => 'text') as never)).rejects.toThrow(
      "edit.change: 'text' is not allowed; expected a function that returns a Request",
    );
    expect(await here.outbox.edit('nobody', into('x'))).toBe(false);
    expect(await (await here.outbox.request('order'))?.text()).toBe('order');
    await here.outbox.replay('order');
    await settle();
    expect(await here.outbox.edit('order', into('x'))).toBe(false);
  });

  test('a dead letter is replayed with the same key, or with a new one', async () => {
    const here = await withDeadLetter();
    here.origin.replies(status(422), ok());
    await here.outbox.replay('order');
    await settle();
    await here.outbox.replay('order', { key: 'new' });
    await settle();
    const [first, second, third] = keys(here);
    expect(second).toBe(first);
    expect(third).not.toBe(first);
    await expect(here.outbox.replay('order', { key: 'other' as never })).rejects.toThrow(
      "replay.key: 'other' is not allowed; expected one of same, new",
    );
  });

  test('export gives dead letters as JSON, with their bodies', async () => {
    const here = page();
    here.origin.otherwise(() => status(422));
    for (const body of ['one ä', 'two', 'three']) await post(here, body, { meta: { body } });
    await here.fetch(URL_, { method: 'DELETE', holdfast: { outbox: { id: 'no body' } } });
    const all: unknown[] = [];
    for await (const each of here.outbox.export({ state: 'dead-letter' }))
      all.push(JSON.parse(JSON.stringify(each)));
    const read = all as { entry: { id: string }; body?: string }[];
    const text = (body: string) =>
      new TextDecoder().decode(Uint8Array.from(atob(body), (c) => c.charCodeAt(0)));
    expect(read.map(({ entry, body }) => [entry.id, body && text(body)])).toEqual([
      ['one ä', 'one ä'],
      ['two', 'two'],
      ['three', 'three'],
      ['no body', undefined],
    ]);
    const first: unknown[] = [];
    for await (const each of here.outbox.export({ state: 'dead-letter', limit: 2 })) first.push(each);
    expect(first).toHaveLength(2);
  });

  test('a dead letter is emitted with the `meta` of the application', async () => {
    const here = page();
    const received: unknown[] = [];
    here.outbox.subscribe((news) => news.type === 'finished' && received.push(news));
    here.origin.replies(status(422));
    await post(here, 'order', { meta: { cart: 7 } });
    expect(received).toMatchObject([
      {
        id: 'order',
        outcome: 'dead-lettered',
        reason: 'http',
        status: 422,
        meta: { cart: 7 },
        remote: false,
      },
    ]);
    expect(here.emitted('finished')).toHaveLength(1);
  });
});

test('the expiry that a call sets holds', async () => {
  const here = page({ expiresAfter: '1d' });
  here.host.connectivity.set(false);
  await post(here, 'short', { expiresAfter: '1m' });
  await post(here, 'never', { expiresAfter: false, lane: 'never' });
  await post(here, 'day', { lane: 'day' });
  await here.clock.advance(2 * 86_400_000);
  here.host.connectivity.set(true);
  await settle();
  expect(sent(here)).toEqual(['never']);
  expect(await deadLettersOf(here)).toEqual([
    ['short', 'expired', undefined],
    ['day', 'expired', undefined],
  ]);
});

test('a 2xx whose body breaks off is a delivery', async () => {
  const here = page();
  here.origin.replies(brokenBody());
  await post(here, 'order');
  expect(await here.outbox.counts()).toMatchObject({ waiting: 0, deadLetters: 0 });
  await here.fetch.close();
});

test('a write without a body has the time limit of an attempt', async () => {
  const here = page();
  here.origin.otherwise(hang());
  await here.fetch(URL_, { method: 'DELETE', holdfast: { outbox: { id: 'a' } } });
  await here.outbox.flush();
  const [entry] = await here.outbox.entries();
  expect(entry?.reason?.message).toBe('attempt time limit of 10000 ms passed');
});
