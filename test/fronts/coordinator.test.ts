import { describe, expect, test } from 'vitest';
import { Coordinator } from '../../src/fronts/cloudflare/coordinator.ts';
import type { CircuitReport, RateReport, Reply, Report } from '../../src/fronts/cloudflare/sharing-words.ts';

const KEY = 'https://api.example.com';

const circuit = (
  is: CircuitReport['is'],
  seen: number,
  more: Partial<CircuitReport> = {},
): CircuitReport => ({
  key: KEY,
  is,
  left: is === 'open' ? 2_000 : 0,
  times: 1,
  seen,
  ...more,
});

/** An object, and isolates that have heard what they were told. */
function world(life = 'life') {
  const coordinator = new Coordinator(life);
  const heard = new Map<string, Reply>();
  return {
    coordinator,
    tell(from: string, report: Partial<Report>, now: number): Reply {
      const { life, version: since = 0 } = heard.get(from) ?? {};
      const empty = { circuits: [], rates: [], budgets: [], every: 1_000 };
      const reply = coordinator.exchange({ ...empty, from, life, since, ...report }, now);
      heard.set(from, reply);
      return reply;
    },
  };
}

describe('news of a circuit', () => {
  test('goes once to each isolate, with the time that is left', () => {
    const { tell } = world();
    tell('a', { circuits: [circuit('open', 0)] }, 0);
    expect(tell('b', {}, 500).circuits).toMatchObject([{ key: KEY, is: 'open', left: 1_500, by: 'a' }]);
    expect(tell('b', {}, 600).circuits).toEqual([]);
    expect(tell('c', {}, 2_000).circuits).toEqual([]);
  });

  test('that is old does not overrule newer, and who told it hears the newer', () => {
    const { tell } = world();
    const { version: first } = tell('a', { circuits: [circuit('open', 0)] }, 0);
    tell('b', {}, 0);
    const { version: second } = tell('a', { circuits: [circuit('closed', first)] }, 1_000);
    // It opened it before it could hear that it has closed.
    const reply = tell('b', { circuits: [circuit('open', first)] }, 1_500);
    expect(reply.circuits).toMatchObject([{ is: 'closed', version: second }]);
    expect(tell('c', {}, 1_600).circuits).toEqual([]);
    // Though it has been told of it by now.
    const again = tell('b', { circuits: [circuit('open', first)] }, 1_700);
    expect(again.circuits).toMatchObject([{ is: 'closed', version: second }]);
    // And when it has heard it, what it says is newer.
    tell('b', { circuits: [circuit('open', second)] }, 2_000);
    expect(tell('a', {}, 2_100).circuits).toMatchObject([{ is: 'open', by: 'b' }]);
  });

  test('that has run its time, or closed long ago, is overruled by anything', () => {
    const { tell } = world();
    tell('a', { circuits: [circuit('open', 0)] }, 0);
    tell('b', { circuits: [circuit('open', 0)] }, 2_001);
    expect(tell('c', {}, 2_100).circuits).toMatchObject([{ is: 'open', by: 'b' }]);
    tell('b', { circuits: [circuit('closed', 99)] }, 3_000);
    tell('d', { circuits: [circuit('open', 0)] }, 13_001);
    expect(tell('e', {}, 13_100).circuits).toMatchObject([{ is: 'open', by: 'd' }]);
  });

  test('that somebody has isolated it holds until it is taken back by who knows of it', () => {
    const { tell } = world();
    tell('a', { circuits: [circuit('open', 0)] }, 0);
    tell('b', { circuits: [circuit('isolated', 0)] }, 10);
    tell('c', { circuits: [circuit('closed', 0)] }, 1_000_000);
    const [news] = tell('d', {}, 1_000_001).circuits;
    expect(news).toMatchObject({ is: 'isolated' });
    tell('d', { circuits: [circuit('closed', news?.version ?? 0)] }, 1_000_002);
    expect(tell('b', {}, 1_000_003).circuits).toMatchObject([{ is: 'closed' }]);
  });

  test('has a number that who told it learns, whatever it is', () => {
    const { tell } = world();
    const { circuits } = tell('a', { circuits: [circuit('closed', 0)] }, 0);
    expect(circuits).toMatchObject([{ is: 'closed', by: 'a', version: 1 }]);
  });

  test('of an earlier life has the number of another one', () => {
    const { coordinator } = world('second');
    const report = { from: 'a', life: 'first', since: 500, every: 1_000, rates: [], budgets: [] };
    const told = { ...report, from: 'b', circuits: [circuit('open', 400)] };
    coordinator.exchange(told, 0);
    expect(coordinator.exchange({ ...report, circuits: [] }, 0).circuits).toMatchObject([{ is: 'open' }]);
    // What it knew of the life before does not make it newer.
    const reply = coordinator.exchange({ ...report, circuits: [circuit('closed', 499)] }, 10);
    expect(reply.circuits).toMatchObject([{ is: 'open', by: 'b' }]);
  });

  test('of 10,000 origins is remembered of the last 1,000, and told 200 at a time', () => {
    const { tell } = world();
    for (let nth = 0; nth < 10_000; nth += 200) {
      const circuits = Array.from({ length: 200 }, (_, each) =>
        circuit('open', 0, { key: `https://${nth + each}.example.com`, left: 60_000 }),
      );
      tell('a', { circuits }, 0);
    }
    const keys: string[] = [];
    for (;;) {
      const { circuits } = tell('b', {}, 0);
      if (circuits.length === 0) break;
      expect(circuits.length).toBeLessThanOrEqual(200);
      keys.push(...circuits.map(({ key }) => key));
    }
    expect(new Set(keys).size).toBe(1_000);
    expect(keys.length).toBe(1_000);
    expect(keys.at(-1)).toBe('https://9999.example.com');
  });
});

describe('a rate', () => {
  const rate = (demand: number, more: Partial<RateReport> = {}): RateReport => ({
    key: KEY,
    // 100 a second.
    interval: 10,
    burst: 10,
    demand,
    taken: 0,
    held: 0,
    ...more,
  });
  const share = ({ rates }: Reply): number => rates[0]?.share ?? 0;

  test('is all of it for who is alone', () => {
    expect(share(world().tell('a', { rates: [rate(0.01)] }, 0))).toBe(1);
  });

  test('is divided so that all parts together are the whole', () => {
    const { tell } = world();
    for (const demands of [
      [0.01, 0.02, 0.03],
      [0.1, 0.2, 0.3],
      [0.05, 0.001, 0.5],
    ]) {
      // The second time each knows of all.
      for (const time of [0, 1])
        for (const [nth, demand] of demands.entries()) tell(`${nth}`, { rates: [rate(demand)] }, time);
      const parts = demands.map((demand, nth) => share(tell(`${nth}`, { rates: [rate(demand)] }, 2)));
      expect(parts.reduce((sum, part) => sum + part)).toBeCloseTo(1, 6);
      // Where there is enough, each has what it wants.
      if (demands.reduce((sum, demand) => sum + demand) < 0.1)
        for (const [nth, demand] of demands.entries()) expect(parts[nth]).toBeGreaterThan(demand * 10);
    }
  });

  test('comes back from who is gone', () => {
    const { tell } = world();
    tell('a', { rates: [rate(1)] }, 0);
    expect(share(tell('b', { rates: [rate(1)] }, 10))).toBe(0.5);
    expect(share(tell('b', { rates: [rate(1)] }, 3_011))).toBe(1);
  });

  test('of which too much was used is saved later, but never all of it, and not for long', () => {
    const { tell } = world();
    expect(share(tell('a', { rates: [rate(1, { taken: 1_000_000, burst: 1_000 })] }, 0))).toBe(0.1);
    expect(share(tell('a', { rates: [rate(1, { burst: 1_000 })] }, 25_000))).toBe(1);
  });

  test('does not take the room of more than 200 isolates', () => {
    const { tell } = world();
    for (let nth = 0; nth < 10_000; nth++) tell(`${nth}`, { rates: [rate(1)] }, 0);
    expect(share(tell('last', { rates: [rate(1)] }, 0))).toBeCloseTo(1 / 200, 6);
  });
});

describe('a budget', () => {
  const budget = (delta: number, spent = Math.max(0, delta)) => ({ key: KEY, most: 10, delta, spent });
  const spent = ({ budgets }: Reply): number | undefined => budgets[0]?.spent;

  test('is what all have spent, less what all have given back, within its bounds', () => {
    const { tell } = world();
    tell('a', { budgets: [budget(3)] }, 0);
    expect(spent(tell('b', { budgets: [budget(4)] }, 0))).toBe(7);
    expect(spent(tell('c', { budgets: [budget(9)] }, 0))).toBe(10);
    expect(spent(tell('a', { budgets: [budget(-4)] }, 0))).toBe(6);
    expect(spent(tell('a', { budgets: [budget(-40)] }, 0))).toBe(0);
  });

  test('is not full again in another life: who knew the one before says what was spent', () => {
    const { coordinator } = world('second');
    const report = { since: 0, every: 1_000, circuits: [], rates: [] };
    for (const from of ['a', 'b'])
      expect(
        coordinator.exchange({ ...report, from, life: 'first', budgets: [budget(0, 8)] }, 0),
      ).toMatchObject({
        budgets: [{ key: KEY, spent: 8 }],
      });
  });
});
