import { describe, expect, test } from 'vitest';
import { coordinator } from '../../src/adapters/cloudflare/coordinator-object.ts';
import type { SyncMessage } from '../../src/adapters/cloudflare/protocol.ts';
import type { SharedState } from '../../src/policies/breaker/sharing.ts';

const KEY = 'https://api.example.com';

const state = (is: SharedState['is'], more: Partial<SharedState> = {}): SharedState => ({
  key: KEY,
  is,
  left: is === 'closed' ? 0 : 2_000,
  times: 1,
  ...more,
});

/** An object, and isolates that have heard what they were told. */
function world() {
  const exchange = coordinator();
  const heard = new Map<string, number>();
  return {
    exchange,
    tell(from: string, states: readonly SharedState[], now: number): SyncMessage {
      const reply = exchange({ from, version: heard.get(from) ?? 0, states }, now);
      heard.set(from, reply.version);
      return reply;
    },
  };
}

describe('coordinator', () => {
  test('passes a state on once to each other isolate, with the time that is left', () => {
    const { tell } = world();
    expect(tell('a', [state('open')], 0).states).toEqual([]);
    expect(tell('b', [], 500).states).toEqual([state('open', { left: 1_500 })]);
    expect(tell('b', [], 600).states).toEqual([]);
    expect(tell('c', [], 2_000).states).toEqual([]);
    expect(tell('a', [], 700).states).toEqual([]);
  });

  test('a circuit that has closed is not opened by an isolate that has not heard of it', () => {
    const { tell } = world();
    tell('a', [state('open')], 0);
    tell('b', [], 0);
    tell('a', [state('closed')], 1_000);
    expect(tell('b', [state('open')], 1_500).states).toMatchObject([{ is: 'closed' }]);
    expect(tell('c', [], 1_600).states).toEqual([]);
    // It has heard of it now.
    tell('b', [state('open')], 2_000);
    expect(tell('a', [], 2_100).states).toMatchObject([{ is: 'open' }]);
  });

  test('a circuit that closed long ago is opened by any isolate', () => {
    const { tell } = world();
    tell('a', [state('open')], 0);
    tell('a', [state('closed')], 1_000);
    tell('b', [state('open')], 11_001);
    expect(tell('c', [], 11_100).states).toMatchObject([{ is: 'open' }]);
  });

  test('the longest hold of an origin counts, beside its circuit', () => {
    const { tell } = world();
    tell('a', [state('held', { left: 30_000 }), state('open')], 0);
    tell('b', [state('held', { left: 1_000 })], 0);
    expect(tell('c', [], 1_000).states).toMatchObject([
      { is: 'open', left: 1_000 },
      { is: 'held', left: 29_000 },
    ]);
  });

  test('an isolate that has heard of an earlier object hears all that a new one knows', () => {
    const { exchange } = world();
    exchange({ from: 'a', version: 0, states: [state('open')] }, 0);
    const reply = exchange({ from: 'b', version: 500, states: [] }, 0);
    expect(reply).toEqual({ from: '', version: 1, states: [state('open')] });
  });

  test('of 10,000 origins the last 1,000 are remembered, and passed on 200 at a time', () => {
    const { tell } = world();
    for (let nth = 0; nth < 10_000; nth += 200)
      tell(
        'a',
        Array.from({ length: 200 }, (_, each) =>
          state('open', { key: `https://${nth + each}.example.com`, left: 60_000 }),
        ),
        0,
      );
    const keys: string[] = [];
    for (;;) {
      const { states } = tell('b', [], 0);
      if (states.length === 0) break;
      expect(states.length).toBeLessThanOrEqual(200);
      keys.push(...states.map(({ key }) => key));
    }
    expect(keys.length).toBe(1_000);
    expect(new Set(keys).size).toBe(1_000);
    expect(keys.at(-1)).toBe('https://9999.example.com');
  });

  test.each([
    ['isolated', { is: 'isolated' }],
    ['with a negative time', { left: -1 }],
    ['with no end', { left: Infinity }],
    ['with a lone surrogate', { key: 'https://a.example/\ud800' }],
    ['with a key of 1,001 letters', { key: 'k'.repeat(1_001) }],
    ['without a key', { key: undefined }],
  ])('a state %s is not passed on', (_, more) => {
    const { tell } = world();
    tell('a', [state('open', more as object)], 0);
    expect(tell('b', [], 0).states).toEqual([]);
  });

  test('no state counts for more than 10 minutes', () => {
    const { tell } = world();
    tell('a', [state('open', { left: 1e12 })], 0);
    expect(tell('b', [], 0).states).toMatchObject([{ left: 600_000 }]);
  });
});
