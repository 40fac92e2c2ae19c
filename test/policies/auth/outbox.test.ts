import { afterEach, describe, expect, test } from 'vitest';
import { isQueued } from '../../../src/core/outcome.ts';
import { auth } from '../../../src/policies/auth/auth.ts';
import { outboxPolicy } from '../../../src/policies/outbox/outbox.ts';
import { attemptTimeout } from '../../../src/policies/timeout.ts';
import { memoryStore } from '../../../src/stores/memory.ts';
import { networkError, ok, status } from '../../../src/testing.ts';
import { durableStore } from '../../support/durable.ts';
import { type Scenario, scenario } from '../../support/scenario.ts';
import { API, json, oauth2, tokenServer } from '../../support/token-server.ts';

const open: Scenario[] = [];
afterEach(async () => {
  for (const { fetch } of open.splice(0)) await fetch.close();
});

function page() {
  let user = 'ann';
  const policy = auth({ ...oauth2(), user: () => user });
  const store = durableStore();
  const outbox = outboxPolicy({ store, pollInterval: '1h' }, memoryStore);
  const scene = scenario([outbox, policy, attemptTimeout()]);
  open.push(scene);
  const server = tokenServer(scene.origin, scene.host);
  return {
    ...scene,
    auth: policy,
    outbox,
    server,
    store,
    become: (other: string) => {
      user = other;
    },
    write: (body: string) =>
      scene.fetch(`${API}/orders`, { method: 'POST', body, holdfast: { outbox: { id: body } } }),
    /** Bodies that the API applied, each with the key under which it came. */
    taken: () =>
      server
        .called()
        .filter((_, nth) => server.served[nth] !== '401')
        .map(({ body }) => body),
  };
}

describe('a queued write with auth', () => {
  test('a queued write gets its credentials when it is sent, and none are stored', async () => {
    const { auth, server, write, taken, store } = page();
    await auth.signIn(server.login());
    expect((await write('one')).status).toBe(200);
    expect(taken()).toEqual(['one']);
    const kept = JSON.stringify(await store.range({}));
    expect(kept).not.toMatch(/access-|refresh-ann|authorization/i);
  });

  test('a queued write is sent with the token of its time, refreshed once for all lanes, under the same key', async () => {
    const { auth, server, write, clock, outbox, host, taken } = page();
    await auth.signIn(server.login());
    host.connectivity.set(false);
    for (const body of ['one', 'two', 'three']) expect(isQueued(await write(body))).toBe(true);
    await clock.advance(7_200_000);
    host.connectivity.set(true);
    await outbox.flush();
    await clock.advance(1_000);
    expect(taken()).toEqual(['one', 'two', 'three']);
    expect(server.asked()).toHaveLength(1);
    expect(server.served).not.toContain('401');
  });

  test('a queued write with a 401 is sent again under its key when there is a new token', async () => {
    const { auth, server, write, emitted } = page();
    await auth.signIn(server.login());
    server.revoke();
    expect((await write('one')).status).toBe(200);
    const keys = server.called().map(({ headers }) => headers.get('idempotency-key'));
    expect(keys).toHaveLength(2);
    expect(new Set(keys).size).toBe(1);
    expect(emitted('delivered')).toHaveLength(1);
    expect(emitted('outbox-auth-required')).toEqual([]);
  });

  test('a queued write waits without a signed-in user, loses no attempt, and is sent after sign-in', async () => {
    const { auth, server, write, emitted, outbox, clock, taken } = page();
    const responses = await Promise.all([write('one'), write('two')]);
    expect(responses.map(isQueued)).toEqual([true, true]);
    expect(await outbox.counts()).toMatchObject({ waiting: 2, paused: 'credentials' });
    expect(emitted('outbox-auth-required')).toHaveLength(1);
    expect(server.called()).toEqual([]);
    await clock.advance(3_600_000);
    expect(await outbox.entries()).toMatchObject([
      { attempts: 0, reason: { code: 'signed-out' } },
      { attempts: 0 },
    ]);
    await auth.signIn(server.login());
    await clock.advance(1_000);
    expect(taken()).toEqual(['one', 'two']);
    expect(emitted('outbox-resumed')).toHaveLength(1);
    expect(await outbox.counts()).toMatchObject({ waiting: 0, deadLetters: 0 });
  });

  test('a queued write is sent after a rejected refresh and another sign-in', async () => {
    const { auth, server, write, outbox, clock, taken } = page();
    await auth.signIn(server.login());
    await clock.advance(3_600_000);
    server.replies(json({ error: 'invalid_grant' }, 400));
    expect(isQueued(await write('one'))).toBe(true);
    expect(await outbox.counts()).toMatchObject({ waiting: 1, paused: 'credentials' });
    await auth.signIn(server.login());
    await clock.advance(1_000);
    expect(taken()).toEqual(['one']);
  });

  test('a queued write is sent again by itself if the token endpoint was only unavailable', async () => {
    const { auth, server, write, outbox, clock, taken, emitted } = page();
    await auth.signIn(server.login());
    await clock.advance(3_600_000);
    server.replies(networkError(), status(503), networkError());
    expect(isQueued(await write('one'))).toBe(true);
    expect(await outbox.counts()).not.toHaveProperty('paused');
    await clock.advance(120_000);
    expect(taken()).toEqual(['one']);
    expect(emitted('outbox-auth-required')).toEqual([]);
    expect(emitted('postponed').length).toBeGreaterThan(0);
    for (let nth = 0; nth < 40; nth++) server.replies(status(503));
    await clock.advance(3_600_000);
    await write('two');
    await clock.advance(1_200_000);
    // The write has no part in that, and loses no attempt.
    expect(await outbox.entries()).toMatchObject([{ state: 'waiting', attempts: 0 }]);
    expect(emitted('postponed').length).toBeGreaterThan(11);
    await clock.advance(3_600_000);
    expect(taken()).toEqual(['one', 'two']);
  });

  test('a queued write to an origin that rejects every token pauses, and no refresh restarts it', async () => {
    const { auth, server, write, outbox, clock, fetch } = page();
    await auth.signIn(server.login());
    server.refuses = (path) => path === '/orders';
    expect(isQueued(await write('one'))).toBe(true);
    expect(await outbox.counts()).toMatchObject({ waiting: 1, paused: 'credentials' });
    const sent = server.called().length;
    for (let minute = 0; minute < 20; minute++) {
      await (await fetch(`${API}/reads`)).text();
      await clock.advance(60_000);
    }
    expect(server.called().length).toBe(sent + 20);
    server.refuses = () => false;
    await clock.advance(2_400_000);
    // The next token is one more chance.
    await (await fetch(`${API}/reads`)).text();
    await clock.advance(5_000);
    expect(await outbox.counts()).toMatchObject({ waiting: 0 });
  });

  test('a queued write of one user is sent with that user’s credentials alone', async () => {
    const { auth, server, write, clock, become, taken } = page();
    await write('ann’s');
    become('bob');
    await auth.signIn(server.login('bob'));
    await clock.advance(60_000);
    expect(server.called()).toEqual([]);
    await auth.signIn(server.login('ann'), { partition: 'ann' });
    await clock.advance(60_000);
    expect(server.called()).toEqual([]);
    become('ann');
    await auth.signIn(server.login('ann'));
    await clock.advance(1_000);
    expect(taken()).toEqual(['ann’s']);
    expect(server.served).toEqual(['ann']);
  });
});

test('new tokens do not end a pause by the application', async () => {
  const { auth, server, write, outbox, clock } = page();
  await write('one');
  await outbox.pause();
  await auth.signIn(server.login());
  await clock.advance(60_000);
  expect(await outbox.counts()).toMatchObject({ waiting: 1, paused: 'application' });
  expect(server.called()).toEqual([]);
});

/**
 * A page with a bearer token of the application's, which the origin refuses until it is `new`, and
 * a write that waits.
 */
async function refused(partition?: 'public') {
  const mine: { token: string; user: string | undefined } = { token: 'old', user: 'ann' };
  const user = (): string | undefined => mine.user;
  const policy = auth({
    scheme: 'bearer',
    origins: [API],
    token: () => mine.token,
    ...(!partition && { user }),
  });
  const outbox = outboxPolicy({ store: durableStore(), pollInterval: '1h' }, memoryStore);
  const scene = scenario([outbox, policy], { partition });
  open.push(scene);
  scene.origin.otherwise(({ headers }) =>
    headers.get('authorization') === 'Bearer new' ? ok() : status(401),
  );
  const init = { method: 'POST', body: 'x', holdfast: { outbox: true } };
  expect(isQueued(await scene.fetch(API, init))).toBe(true);
  expect(await outbox.counts()).toMatchObject({ waiting: 1, paused: 'credentials' });
  return { ...scene, outbox, mine };
}

test.each([
  ['of a user', undefined],
  ['of no user', 'public'],
] as const)('a paused queue %s goes on when the origin accepts another token', async (_, partition) => {
  const { fetch, clock, outbox, mine } = await refused(partition);
  await (await fetch(API)).text();
  expect(await outbox.counts()).toMatchObject({ waiting: 1, paused: 'credentials' });
  mine.token = 'new';
  expect((await fetch(API)).status).toBe(200);
  await clock.advance(1_000);
  expect(await outbox.counts()).toMatchObject({ waiting: 0 });
});

test('after a 401 the queue goes on when the same user has signed out and in again', async () => {
  const { fetch, clock, outbox, mine } = await refused();
  await fetch.signOut({ undelivered: 'keep' });
  mine.user = undefined;
  await clock.advance(1_000);
  Object.assign(mine, { user: 'ann', token: 'new' });
  expect((await fetch(API)).status).toBe(200);
  await clock.advance(1_000);
  expect(await outbox.counts()).toMatchObject({ waiting: 0 });
});
