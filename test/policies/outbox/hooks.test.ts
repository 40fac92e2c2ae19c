/** Hooks that never settle, or that consume their arguments. */
import { describe, expect, test } from 'vitest';
import { status } from '../../../src/testing.ts';
import { page, settle } from '../../support/outbox-page.ts';
import { give, sent } from '../../support/outbox-writes.ts';
import { sendsStreams } from '../../support/platform.ts';

test('a merge function that never settles does not delay its caller for ever', async () => {
  const here = page();
  here.host.connectivity.set(false);
  await give(here, '1', { coalesce: { key: 'k' } });
  const merge = (): Promise<Request> => new Promise(() => {});
  const settled = give(here, '2', { coalesce: { key: 'k', merge } }).catch((error) => error.code);
  expect(await settled).toBe('configuration');
  expect(here.clock.ticks()).toBe(30_000);
  expect(await here.outbox.counts()).toMatchObject({ waiting: 1 });
});

test.skipIf(!sendsStreams)(
  'a request of onConflict may have a body that never ends: its lane goes on',
  async () => {
    const here = page({
      onConflict: (_, __, request) =>
        new Request(request, { body: new ReadableStream(), duplex: 'half' } as RequestInit),
    });
    here.host.connectivity.set(false);
    await give(here, '1', { id: '1' });
    await give(here, '2');
    here.origin.replies(status(412));
    here.host.connectivity.set(true);
    await settle();
    await here.clock.advance(60_000);
    expect(sent(here)).toEqual(['1', '2']);
    expect(await here.outbox.entries({ state: 'dead-letter' })).toMatchObject([
      { id: '1', reason: { code: 'http', status: 412 } },
    ]);
  },
);

describe('authorize', () => {
  test('authorize may read the body, to sign it', async () => {
    const here = page({
      authorize: async (request) => {
        request.headers.set('x-signature', `${(await request.text()).length}`);
      },
    });
    await give(here, 'four');
    expect(sent(here)).toEqual(['four']);
    expect(here.origin.seen[0]?.headers.get('x-signature')).toBe('4');
  });

  test('authorize that returns a request whose body is used gets an error that says what to do', async () => {
    const here = page({
      async authorize(request) {
        const signed = new Request(request);
        await signed.text();
        return signed;
      },
    });
    await give(here, 'a');
    const [entry] = await here.outbox.entries();
    expect(entry?.reason).toEqual({
      code: 'configuration',
      message: expect.stringContaining('read that of request.clone()'),
    });
    expect(sent(here)).toEqual([]);
  });
});
