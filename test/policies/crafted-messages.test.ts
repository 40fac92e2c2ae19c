/**
 * Any script of an origin may post on a channel: no such message throws, fills the memory, or
 * changes more than a hint.
 */
import { afterEach, beforeEach, expect, test } from 'vitest';
import { breaker } from '../../src/policies/breaker/breaker.ts';
import { betweenTabs } from '../../src/policies/breaker/sharing.ts';
import { rateLimit } from '../../src/policies/rate-limit.ts';
import { networkError, ok } from '../../src/testing.ts';
import { cachePage, fresh } from '../support/cache-page.ts';
import { craft, FakeChannel, garbage, replaceChannel } from '../support/fake-channel.ts';
import { page, settle } from '../support/outbox-page.ts';
import { give, sent } from '../support/outbox-writes.ts';
import { ORIGIN, scenario } from '../support/scenario.ts';

const MANY = 5_000;

let restore = (): void => {};
beforeEach(() => {
  restore = replaceChannel(FakeChannel);
});
afterEach(() => {
  expect(FakeChannel.thrown).toEqual([]);
  restore();
});

const many = (message: (nth: number) => unknown): void => {
  for (let nth = 0; nth < MANY; nth++) craft(message(nth));
};

test('breaker: a crafted message isolates no circuit, and opens one for a bounded time', async () => {
  const policy = breaker({ share: betweenTabs(), maxWait: 0 });
  const { fetch, clock } = scenario([policy]);
  await fetch(ORIGIN);
  craft(...garbage);
  craft({ key: ORIGIN, is: 'isolated', left: 0, times: 0 });
  expect((await fetch(ORIGIN)).status).toBe(200);
  craft({ key: ORIGIN, is: 'open', left: 1e15, times: 1e9 });
  await expect(fetch(ORIGIN)).rejects.toMatchObject({ code: 'circuit-open' });
  await clock.advance(10_000);
  expect((await fetch(ORIGIN)).status).toBe(200);
  many((nth) => ({ key: `https://${nth}.example.com`, is: 'open', left: 1e15, times: 1 }));
  expect(Object.keys(policy.states()).length).toBeLessThanOrEqual(1_000);
  await fetch.close();
});

test('breaker: no message closes a circuit that the application has isolated', async () => {
  const policy = breaker({ share: betweenTabs(), maxWait: 0 });
  const { fetch } = scenario([policy]);
  await fetch(ORIGIN);
  policy.isolate(ORIGIN);
  for (const is of ['closed', 'open', 'half-open', 'held']) craft({ key: ORIGIN, is, left: 1, times: 0 });
  expect(policy.states()[ORIGIN]?.state).toBe('isolated');
  await fetch.close();
});

test('rateLimit: a crafted message delays calls for no longer than maxRetryAfter', async () => {
  const policy = rateLimit({ share: betweenTabs(), maxWait: 0, maxRetryAfter: '5s' });
  const { fetch, clock } = scenario([policy]);
  await fetch(ORIGIN);
  craft(...garbage);
  expect((await fetch(ORIGIN)).status).toBe(200);
  craft({ key: ORIGIN, is: 'held', left: 1e15, times: 0 });
  await expect(fetch(ORIGIN)).rejects.toMatchObject({ code: 'rate-limit' });
  await clock.advance(6_000);
  expect((await fetch(ORIGIN)).status).toBe(200);
  many((nth) => ({ key: `https://${nth}.example.com`, is: 'held', left: 1, times: 0 }));
  expect(Object.keys(policy.states()).length).toBeLessThanOrEqual(1_000);
  await fetch.close();
});

test('staleCache: crafted messages of other partitions and URLs leave a cached response', async () => {
  const { origin, read } = cachePage();
  origin.replies(fresh('first', 0));
  origin.otherwise(networkError());
  expect(await read()).toEqual([200, 'network', 'first']);
  craft(...garbage);
  many((nth) => ({ what: 'deleted', partition: `user ${nth}`, at: 0 }));
  many((nth) => ({ what: 'unconfirmed', partition: `user ${nth}`, url: `${ORIGIN}/${nth}`, at: 1e15 }));
  await settle();
  expect(await read()).toEqual([200, 'stale', 'first']);
});

test('outbox: after crafted messages a write still waits, is delivered once, and few timers are set', async () => {
  const here = page();
  here.host.connectivity.set(false);
  await give(here, 'order', { id: '1', lane: 'a' });
  const before = here.clock.pending;
  craft(...garbage);
  many((nth) => ({ event: { type: 'queued', id: `${nth}`, lane: `lane ${nth}` }, partition: 'ann' }));
  many((nth) => ({ event: { type: 'outbox-auth-required', id: '1', lane: 'a' }, partition: `user ${nth}` }));
  craft({
    event: { type: 'finished', id: '1', lane: 'a', outcome: 'removed' },
    partition: 'ann',
    key: 'entry default 1',
  });
  await settle();
  expect(here.clock.pending - before).toBeLessThanOrEqual(1_000);
  expect(await here.outbox.counts()).toMatchObject({ waiting: 1 });
  here.origin.otherwise(ok());
  here.host.connectivity.set(true);
  await here.outbox.flush();
  await settle();
  expect(sent(here)).toEqual(['order']);
  expect(await here.outbox.counts()).toMatchObject({ waiting: 0, deadLetters: 0 });
});
