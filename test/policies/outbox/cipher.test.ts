/** A cipher that lacks its key for now, or does not respond. */
import { describe, expect, test } from 'vitest';
import { StorageError } from '../../../src/core/errors.ts';
import type { Cipher } from '../../../src/core/store.ts';
import { status } from '../../../src/testing.ts';
import { page } from '../../support/outbox-page.ts';
import { give, sent } from '../../support/outbox-writes.ts';

type How = 'well' | 'hangs' | 'has no key';

function brokenCipher() {
  const state = { encrypts: 'well' as How, decrypts: 'well' as How, decryptsBodies: 'well' as How };
  const work = async (bytes: Uint8Array<ArrayBuffer>, how: How): Promise<Uint8Array<ArrayBuffer>> => {
    if (how === 'hangs') return new Promise(() => {});
    if (how === 'has no key') throw new StorageError('the key is not to be had');
    return bytes.map((byte) => byte ^ 1);
  };
  const made: Cipher = {
    encrypt: (bytes) => work(bytes, state.encrypts),
    decrypt: (bytes, context) =>
      work(bytes, context.endsWith('body') ? state.decryptsBodies : state.decrypts),
    hashKey: async (text) => text,
  };
  return { encryption: made, state };
}

const ILL = ['hangs', 'has no key'] as const;

describe('a cipher that does not respond', () => {
  test('a cipher that hangs does not delay the caller of a write for ever', async () => {
    const { encryption, state } = brokenCipher();
    const here = page({ encryption });
    state.encrypts = 'hangs';
    const how = give(here, 'a').then(
      () => 'kept',
      ({ category }) => category,
    );
    await here.clock.advance(300_000);
    expect(await how).toBe('storage');
  });

  test('a cipher that hangs while it decrypts a body blocks neither its lane nor flush', async () => {
    const { encryption, state } = brokenCipher();
    const here = page({ encryption });
    here.host.connectivity.set(false);
    await give(here, 'a', { lane: 'second' });
    state.decryptsBodies = 'hangs';
    here.host.connectivity.set(true);
    let isOver = false;
    void here.outbox.flush().finally(() => {
      isOver = true;
    });
    await here.clock.advance(60_000);
    expect([isOver, sent(here)]).toEqual([true, []]);
    state.decryptsBodies = 'well';
    await here.outbox.flush();
    expect(sent(here)).toEqual(['a']);
  });
});

describe.each(ILL)('the cipher %s', (how) => {
  test('a delivered write is not sent again, though its response cannot be encrypted', async () => {
    const { encryption, state } = brokenCipher();
    const here = page({ encryption, idempotencyHeader: false, pollInterval: '1m' });
    here.host.connectivity.set(false);
    await give(here, 'a', { id: 'a' });
    state.encrypts = how;
    here.host.connectivity.set(true);
    await here.clock.advance(5 * 60_000);
    expect(sent(here)).toEqual(['a']);
    await expect(here.outbox.result('a')).rejects.toMatchObject({ code: 'result-lost' });
  });

  test('Retry-After holds, though the reason of the entry cannot be encrypted', async () => {
    const { encryption, state } = brokenCipher();
    const here = page({ encryption, pollInterval: '1m' });
    here.host.connectivity.set(false);
    await give(here, 'a');
    state.encrypts = how;
    here.origin.otherwise(() => status(503, { 'retry-after': '3600' }));
    here.host.connectivity.set(true);
    await here.clock.advance(5 * 60_000);
    expect(sent(here)).toEqual(['a']);
    expect((await here.outbox.entries())[0]?.reason).toEqual({ code: 'http' });
  });

  test('a rejected write is a dead letter, though its reason cannot be encrypted', async () => {
    const { encryption, state } = brokenCipher();
    const here = page({ encryption, pollInterval: '1m' });
    here.host.connectivity.set(false);
    await give(here, 'a');
    state.encrypts = how;
    here.origin.otherwise(() => status(422));
    here.host.connectivity.set(true);
    await here.clock.advance(5 * 60_000);
    expect(sent(here)).toEqual(['a']);
    expect((await here.outbox.entries({ state: 'dead-letter' }))[0]?.reason).toEqual({ code: 'http' });
  });

  test.each(['clear', 'remove', 'purge'] as const)(
    '%s deletes entries that cannot be decrypted',
    async (by) => {
      const { encryption, state } = brokenCipher();
      const here = page({ encryption });
      here.origin.otherwise(() => status(422));
      await give(here, 'a', { id: 'a' });
      await give(here, 'b', { id: 'b' });
      Object.assign(state, { encrypts: how, decrypts: how, decryptsBodies: how });
      const gone = by === 'remove' ? here.outbox.remove('a') : here.outbox[by]();
      await here.clock.advance(60_000);
      expect(await gone).toBeTruthy();
      expect(await here.outbox.counts()).toMatchObject({ deadLetters: by === 'remove' ? 1 : 0 });
      if (by !== 'clear') return;
      expect((await here.store.range({})).map(({ key }) => key.split(' ')[0])).toEqual(['totals']);
    },
  );
});
