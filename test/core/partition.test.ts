import { expect, test } from 'vitest';
import { isQueued, sourceOf } from '../../src/core/outcome.ts';
import { auth } from '../../src/policies/auth/auth.ts';
import { cachePolicy } from '../../src/policies/cache/cache.ts';
import { dedupe } from '../../src/policies/dedupe.ts';
import { outboxPolicy } from '../../src/policies/outbox/outbox.ts';
import { ConfigurationError } from '../../src/primitives/failure.ts';
import { memoryStore } from '../../src/stores/memory.ts';
import { networkError, ok, slow } from '../../src/testing.ts';
import { quiet } from '../support/platform.ts';
import { ORIGIN, scenario } from '../support/scenario.ts';

const URL_ = `${ORIGIN}/orders`;

/** A client, and the sign-in and sign-out of its user. */
function world(first: string | undefined, options: Parameters<typeof scenario>[1] = {}) {
  let user = first;
  const cache = cachePolicy({ store: memoryStore() }, memoryStore);
  const box = outboxPolicy({ store: memoryStore() }, memoryStore);
  const scene = scenario([dedupe(), box, cache], {
    name: crypto.randomUUID(),
    partition: () => user,
    ...options,
  });
  const read = async () => {
    const response = await scene.fetch(URL_);
    const text = await response.text();
    await scene.clock.busy(quiet());
    await scene.clock.advance(0);
    return [sourceOf(response), text];
  };
  const signIn = (next: string | undefined): void => {
    user = next;
  };
  return { ...scene, cache, box, read, signIn };
}

test('a partition function that throws is a ConfigurationError with its error as cause', async () => {
  const bug = new TypeError('bug');
  const { fetch, origin } = world('ann', {
    partition: () => {
      throw bug;
    },
  });
  const error = await fetch(URL_).catch((thrown) => thrown);
  expect(error).toBeInstanceOf(ConfigurationError);
  expect(error).toMatchObject({ option: 'partition', cause: bug });
  expect(origin.seen).toEqual([]);
});

test('while no user is signed in, reads go through and nothing is cached', async () => {
  const { read, origin, cache, signIn } = world(undefined);
  origin.replies(ok('login page'), ok('of ann'), networkError());
  expect(await read()).toEqual(['network', 'login page']);
  expect(await cache.entries()).toEqual([]);
  signIn('ann');
  await read();
  signIn(undefined);
  await expect(read()).rejects.toMatchObject({ code: 'network' });
});

test('while no user is signed in, dedupe joins nothing', async () => {
  const { fetch, origin, clock } = world(undefined);
  origin.otherwise(slow(clock, 10));
  await Promise.all([fetch(URL_), fetch(URL_)]);
  expect(origin.seen).toHaveLength(2);
});

test('while no user is signed in, a write goes through and invalidates nothing', async () => {
  const { fetch, read, origin, cache, signIn } = world('ann');
  origin.replies(ok('of ann'), ok('signed in'));
  await read();
  signIn(undefined);
  await fetch(URL_, { method: 'POST', body: 'password' });
  expect(await cache.entries()).toHaveLength(1);
});

test('while no user is signed in, outbox: true is an error that says so', async () => {
  const { fetch, origin } = world(undefined);
  const write = fetch(URL_, { method: 'POST', body: 'x', holdfast: { outbox: true } });
  await expect(write).rejects.toThrow(/outbox: .* no user is signed in/);
  expect(origin.seen).toEqual([]);
});

test("an outbox takes 'public' only as a constant", async () => {
  const write = { method: 'POST', body: 'x', holdfast: { outbox: true } };
  const dynamic = world('public');
  await expect(dynamic.fetch(URL_, write)).rejects.toThrow(/partition: 'public'/);
  const constant = world(undefined, { partition: 'public' });
  constant.origin.otherwise(networkError());
  expect(isQueued(await constant.fetch(URL_, write))).toBe(true);
  await constant.fetch.close();
});

test('a token function that gives undefined for a signed-in user: the cached response is served, a write waits', async () => {
  let token: string | undefined = 'first';
  const cache = cachePolicy({ store: memoryStore() }, memoryStore);
  const box = outboxPolicy({ store: memoryStore() }, memoryStore);
  const auth_ = auth({ scheme: 'bearer', origins: [ORIGIN], token: () => token });
  const { fetch, origin, clock } = scenario([box, cache, auth_], {
    name: crypto.randomUUID(),
    partition: 'ann',
  });
  origin.replies(ok('of ann'));
  await (await fetch(URL_)).text();
  await clock.busy(quiet());
  token = undefined;
  expect(sourceOf(await fetch(URL_))).toBe('stale');
  const queued = await fetch(URL_, { method: 'POST', body: 'x', holdfast: { outbox: true } });
  expect(isQueued(queued)).toBe(true);
  expect(await box.entries()).toMatchObject([{ state: 'waiting', attempts: 0 }]);
  await fetch.close();
});
