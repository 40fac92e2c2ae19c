/** A page whose user signs out and in again, without a reload. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { systemHost } from '../../../src/core/host.ts';
import { POST, page, settle, URL_ } from '../../support/outbox-page.ts';

const isPage = 'document' in globalThis;
const document = Object.assign(new EventTarget(), { visibilityState: 'visible' });

/** A world where ann has left a write that was accepted offline. */
async function leftBehind() {
  let user = 'ann';
  const world = page({ user: () => user });
  await world.clock.advance(0);
  await settle();
  world.host.connectivity.set(false);
  await world.fetch(URL_, { ...POST, body: 'one' });
  user = 'bob';
  world.host.connectivity.set(true);
  await settle();
  const signIn = (name: string): void => {
    user = name;
  };
  const sent = () => world.origin.seen.filter(({ method }) => method === 'POST').map(({ body }) => body);
  return { ...world, signIn, sent };
}

// Where I/O belongs to one request, there is no page.
describe.skipIf(!systemHost.canShareIO)('the first call of a user after sign-in', () => {
  beforeEach(() => {
    if (isPage) return;
    Object.defineProperty(globalThis, 'document', { value: document, configurable: true });
  });
  afterEach(() => {
    if (!isPage) Reflect.deleteProperty(globalThis, 'document');
  });

  test('the first call of a user sends the waiting writes of this user', async () => {
    const { fetch, signIn, sent } = await leftBehind();
    await fetch(URL_);
    await settle();
    expect(sent()).toEqual([]);
    signIn('ann');
    await fetch(URL_);
    await settle();
    expect(sent()).toEqual(['one']);
  });

  test('the first call of a page reads no queue: its entries are sent as it loads', async () => {
    const world = page();
    await world.clock.advance(0);
    await settle();
    const { groups } = world.store;
    let looks = 0;
    world.store.groups = (...given) => {
      looks++;
      return groups(...given);
    };
    await world.fetch(URL_);
    await settle();
    expect(looks).toBe(0);
  });

  test('the first call of a user sends the waiting writes, though no call was made in between', async () => {
    const { fetch, signIn, sent } = await leftBehind();
    signIn('ann');
    await fetch(URL_);
    await settle();
    expect(sent()).toEqual(['one']);
  });
});

test.skipIf(isPage || !systemHost.canShareIO)(
  'on a server, where users alternate, a call of another user wakes no outbox',
  async () => {
    const { fetch, signIn, sent } = await leftBehind();
    signIn('ann');
    await fetch(URL_);
    await settle();
    expect(sent()).toEqual([]);
  },
);
