import { describe, expect, test } from 'vitest';
import type { SyncMessage } from '../../src/adapters/cloudflare/coordinator-object.ts';
import { coordinator } from '../../src/adapters/cloudflare/coordinator-object.ts';
import type { SharedState } from '../../src/policies/breaker/sharing.ts';

const KEY = 'https://api.example.com';

const state = (is: SharedState['is'], more: Partial<SharedState> = {}): SharedState => ({
  key: KEY,
  is,
  left: is === 'closed' ? 0 : 2_000,
  times: 1,
  ...more,
});

/** An object, and isolates that keep the last version they received. */
function world() {
  const exchange = coordinator();
  const versions = new Map<string, number>();
  return {
    exchange,
    exchangeWith(from: string, states: readonly SharedState[], now: number): SyncMessage {
      const reply = exchange({ from, version: versions.get(from) ?? 0, states }, now);
      versions.set(from, reply.version);
      return reply;
    },
  };
}

describe('coordinator', () => {
  test('a coordinator passes a state on once to each other isolate, with the remaining time', () => {
    const { exchangeWith } = world();
    expect(exchangeWith('a', [state('open')], 0).states).toEqual([]);
    expect(exchangeWith('b', [], 500).states).toEqual([state('open', { left: 1_500 })]);
    expect(exchangeWith('b', [], 600).states).toEqual([]);
    expect(exchangeWith('c', [], 2_000).states).toEqual([]);
    expect(exchangeWith('a', [], 700).states).toEqual([]);
  });

  test('an isolate with an outdated version does not open a circuit that has closed', () => {
    const { exchangeWith } = world();
    exchangeWith('a', [state('open')], 0);
    exchangeWith('b', [], 0);
    exchangeWith('a', [state('closed')], 1_000);
    expect(exchangeWith('b', [state('open')], 1_500).states).toMatchObject([{ is: 'closed' }]);
    expect(exchangeWith('c', [], 1_600).states).toEqual([]);
    // It has received the change now.
    exchangeWith('b', [state('open')], 2_000);
    expect(exchangeWith('a', [], 2_100).states).toMatchObject([{ is: 'open' }]);
  });

  test('any isolate opens a circuit that closed long ago', () => {
    const { exchangeWith } = world();
    exchangeWith('a', [state('open')], 0);
    exchangeWith('a', [state('closed')], 1_000);
    exchangeWith('b', [state('open')], 11_001);
    expect(exchangeWith('c', [], 11_100).states).toMatchObject([{ is: 'open' }]);
  });

  test('a coordinator keeps the longest Retry-After of an origin, beside its circuit', () => {
    const { exchangeWith } = world();
    exchangeWith('a', [state('held', { left: 30_000 }), state('open')], 0);
    exchangeWith('b', [state('held', { left: 1_000 })], 0);
    expect(exchangeWith('c', [], 1_000).states).toMatchObject([
      { is: 'open', left: 1_000 },
      { is: 'held', left: 29_000 },
    ]);
  });

  test('an isolate with the version of an earlier object receives all states of a new one', () => {
    const { exchange } = world();
    exchange({ from: 'a', version: 0, states: [state('open')] }, 0);
    const reply = exchange({ from: 'b', version: 500, states: [] }, 0);
    expect(reply).toEqual({ from: '', version: 1, states: [state('open')] });
  });

  test('a coordinator keeps the last 1,000 of 10,000 origins, and passes on 200 at a time', () => {
    const { exchangeWith } = world();
    for (let nth = 0; nth < 10_000; nth += 200)
      exchangeWith(
        'a',
        Array.from({ length: 200 }, (_, each) =>
          state('open', { key: `https://${nth + each}.example.com`, left: 60_000 }),
        ),
        0,
      );
    const keys: string[] = [];
    for (;;) {
      const { states } = exchangeWith('b', [], 0);
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
  ])('a coordinator passes on no state %s', (_, more) => {
    const { exchangeWith } = world();
    exchangeWith('a', [state('open', more as object)], 0);
    expect(exchangeWith('b', [], 0).states).toEqual([]);
  });

  test('a state counts for no more than 10 minutes', () => {
    const { exchangeWith } = world();
    exchangeWith('a', [state('open', { left: 1e12 })], 0);
    expect(exchangeWith('b', [], 0).states).toMatchObject([{ left: 600_000 }]);
  });
});
