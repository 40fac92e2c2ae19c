/** A codec that has no key just now, or does not answer. */
import { describe, expect, test } from 'vitest';
import { StorageError } from '../../../src/core/errors.ts';
import type { Cipher } from '../../../src/core/store.ts';
import { status } from '../../../src/testing/index.ts';
import { page } from '../../support/outbox-page.ts';
import { give, sent } from '../../support/outbox-writes.ts';

type How = 'well' | 'hangs' | 'has no key';

function codec() {
  const state = { seals: 'well' as How, opens: 'well' as How, opensBodies: 'well' as How };
  const work = async (bytes: Uint8Array<ArrayBuffer>, how: How): Promise<Uint8Array<ArrayBuffer>> => {
    if (how === 'hangs') return new Promise(() => {});
    if (how === 'has no key') throw new StorageError('the key is not to be had');
    return bytes.map((byte) => byte ^ 1);
  };
  const made: Cipher = {
    encrypt: (bytes) => work(bytes, state.seals),
    decrypt: (bytes, context) => work(bytes, context.endsWith('body') ? state.opensBodies : state.opens),
    hashKey: async (text) => text,
  };
  return { codec: made, state };
}

const ILL = ['hangs', 'has no key'] as const;

describe('a codec that does not answer', () => {
  test('does not keep the caller of a write for ever', async () => {
    const { codec: sealing, state } = codec();
    const here = page({ encryption: sealing });
    state.seals = 'hangs';
    const how = give(here, 'a').then(
      () => 'kept',
      ({ category }) => category,
    );
    await here.clock.advance(300_000);
    expect(await how).toBe('storage');
  });

  test('while a body is opened does not keep its lane, nor those who flush', async () => {
    const { codec: sealing, state } = codec();
    const here = page({ encryption: sealing });
    here.host.connectivity.set(false);
    await give(here, 'a', { lane: 'second' });
    state.opensBodies = 'hangs';
    here.host.connectivity.set(true);
    let isOver = false;
    void here.outbox.flush().finally(() => {
      isOver = true;
    });
    await here.clock.advance(60_000);
    expect([isOver, sent(here)]).toEqual([true, []]);
    state.opensBodies = 'well';
    await here.outbox.flush();
    expect(sent(here)).toEqual(['a']);
  });
});

describe.each(ILL)('where the codec %s', (how) => {
  test('a write that was delivered is not sent again, though its answer cannot be sealed', async () => {
    const { codec: sealing, state } = codec();
    const here = page({ encryption: sealing, idempotencyHeader: false, pollInterval: '1m' });
    here.host.connectivity.set(false);
    await give(here, 'a', { id: 'a' });
    state.seals = how;
    here.host.connectivity.set(true);
    await here.clock.advance(5 * 60_000);
    expect(sent(here)).toEqual(['a']);
    await expect(here.outbox.result('a')).rejects.toMatchObject({ code: 'result-lost' });
  });

  test('a wait that the origin asked for holds, though the reason for it cannot be sealed', async () => {
    const { codec: sealing, state } = codec();
    const here = page({ encryption: sealing, pollInterval: '1m' });
    here.host.connectivity.set(false);
    await give(here, 'a');
    state.seals = how;
    here.origin.otherwise(() => status(503, { 'retry-after': '3600' }));
    here.host.connectivity.set(true);
    await here.clock.advance(5 * 60_000);
    expect(sent(here)).toEqual(['a']);
    expect((await here.outbox.entries())[0]?.reason).toEqual({ code: 'http' });
  });

  test('a write that was refused is a dead letter, though the reason for it cannot be sealed', async () => {
    const { codec: sealing, state } = codec();
    const here = page({ encryption: sealing, pollInterval: '1m' });
    here.host.connectivity.set(false);
    await give(here, 'a');
    state.seals = how;
    here.origin.otherwise(() => status(422));
    here.host.connectivity.set(true);
    await here.clock.advance(5 * 60_000);
    expect(sent(here)).toEqual(['a']);
    expect((await here.outbox.entries({ state: 'dead-letter' }))[0]?.reason).toEqual({ code: 'http' });
  });

  test.each(['clear', 'remove', 'purge'] as const)('%s takes out what cannot be opened', async (by) => {
    const { codec: sealing, state } = codec();
    const here = page({ encryption: sealing });
    here.origin.otherwise(() => status(422));
    await give(here, 'a', { id: 'a' });
    await give(here, 'b', { id: 'b' });
    Object.assign(state, { seals: how, opens: how, opensBodies: how });
    const gone = by === 'remove' ? here.outbox.remove('a') : here.outbox[by]();
    await here.clock.advance(60_000);
    expect(await gone).toBeTruthy();
    expect(await here.outbox.counts()).toMatchObject({ deadLetters: by === 'remove' ? 1 : 0 });
    if (by !== 'clear') return;
    expect((await here.store.range({})).map(({ key }) => key.split(' ')[0])).toEqual(['totals']);
  });
});
