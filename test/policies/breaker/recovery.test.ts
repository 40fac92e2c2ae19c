import { describe, expect, test } from 'vitest';
import type { BreakerOptions } from '../../../src/policies/breaker/breaker.ts';
import { breaker as make } from '../../../src/policies/breaker/breaker.ts';
import {
  betweenTabs,
  type Connection,
  type SharedState,
  type Sharing,
} from '../../../src/policies/breaker/sharing.ts';
import { bulkhead } from '../../../src/policies/bulkhead.ts';
import { totalTimeout } from '../../../src/policies/timeout.ts';
import { hang, networkError, ok, slow, status } from '../../../src/testing.ts';
import { statusOf } from '../../support/calls.ts';
import { noTabs } from '../../support/platform.ts';
import { ORIGIN, type Scenario, scenario } from '../../support/scenario.ts';

const URL_ = `${ORIGIN}/orders`;

/** A breaker whose calls do not wait, so that a test sees each state. */
const breaker = (options: BreakerOptions = {}) => make({ maxWait: 0, ...options });

const get = ({ fetch }: Scenario, url = URL_, init?: RequestInit): Promise<number | string> =>
  statusOf(fetch(url, init));

async function trip(scene: Scenario, times = 5): Promise<void> {
  for (let call = 0; call < times; call++) {
    scene.origin.replies(networkError());
    await get(scene);
  }
}

const stateOf = (policy: ReturnType<typeof breaker>): string | undefined => policy.states()[ORIGIN]?.state;

describe('slow calls', () => {
  test('slow calls open the circuit at their rate, although they succeed', async () => {
    const policy = breaker({ slowAfter: '1s', slowRate: 0.5 });
    const scene = scenario([policy]);
    for (let call = 0; call < 5; call++) {
      scene.origin.replies(ok(), slow(scene.clock, 1_100));
      await get(scene);
      await get(scene);
    }
    expect(stateOf(policy)).toBe('open');
  });

  test('what calls wait in a queue does not make them slow', async () => {
    const policy = breaker({ slowAfter: '1s' });
    const scene = scenario([policy, bulkhead({ limit: 1, maxWait: '1m' })]);
    scene.origin.otherwise(slow(scene.clock, 100));
    const calls = Array.from({ length: 40 }, () => get(scene));
    expect(new Set(await Promise.all(calls))).toEqual(new Set([200]));
    expect(stateOf(policy)).toBe('closed');
  });

  test('slow calls before a reset do not count', async () => {
    const policy = breaker({ slowAfter: '1s' });
    const scene = scenario([policy]);
    scene.origin.otherwise(slow(scene.clock, 2_000));
    for (let call = 0; call < 9; call++) await get(scene);
    policy.reset();
    await get(scene);
    expect(stateOf(policy)).toBe('closed');
  });

  test('slow calls do not count by default', async () => {
    const policy = breaker();
    const scene = scenario([policy]);
    for (let call = 0; call < 20; call++) {
      scene.origin.replies(slow(scene.clock, 2_500));
      await get(scene);
    }
    expect(stateOf(policy)).toBe('closed');
  });
});

describe('slow start', () => {
  test('slow start lets a few calls through, and one more for each that succeeds', async () => {
    const scene = scenario([breaker()]);
    await trip(scene);
    await scene.clock.advance(6_000);
    expect(await get(scene)).toBe(200);
    scene.origin.otherwise(slow(scene.clock, 100));
    const wave = async (): Promise<number> =>
      (await Promise.all(Array.from({ length: 100 }, () => get(scene)))).filter((result) => result === 200)
        .length;
    expect([await wave(), await wave(), await wave(), await wave()]).toEqual([2, 4, 8, 16]);
    for (let more = 0; more < 3; more++) await wave();
    expect(await wave()).toBe(100);
  });

  test('calls that never end do not keep their permits of the slow start for ever', async () => {
    const scene = scenario([breaker()]);
    await trip(scene);
    await scene.clock.advance(6_000);
    await get(scene);
    scene.origin.replies(hang(), hang());
    void get(scene);
    void get(scene);
    expect(await get(scene)).toBe('circuit-open');
    await scene.clock.advance(30_000);
    expect(await get(scene)).toBe(200);
  });

  test('a circuit that fails again during the slow start stays open longer than at first', async () => {
    const policy = breaker({ openFor: '1s' });
    const scene = scenario([policy]);
    await trip(scene);
    await scene.clock.advance(6_000);
    await get(scene);
    await trip(scene);
    await scene.clock.advance(1_000);
    scene.origin.replies(networkError());
    await get(scene);
    expect((policy.states()[ORIGIN]?.retryAt as number) - scene.clock.now()).toBeGreaterThanOrEqual(1_600);
  });
});

describe('a probe URL', () => {
  test('a probe URL is requested in place of a user’s call', async () => {
    const policy = breaker({ probe: '/health' });
    const scene = scenario([policy]);
    await trip(scene);
    await scene.clock.advance(6_000);
    expect(await get(scene)).toBe('circuit-open');
    await scene.clock.advance(0);
    expect(scene.origin.seen.slice(5).map(({ url }) => url)).toEqual([`${ORIGIN}/health`]);
    expect(stateOf(policy)).toBe('closed');
    expect(await get(scene)).toBe(200);
  });

  test('a probe URL that hangs or fails opens the circuit again', async () => {
    for (const step of [hang(), status(503), networkError()]) {
      const policy = breaker({ probe: '/health', probeTimeout: '3s' });
      const scene = scenario([policy]);
      await trip(scene);
      await scene.clock.advance(6_000);
      scene.origin.replies(step);
      expect(await get(scene)).toBe('circuit-open');
      await scene.clock.advance(3_000);
      expect(stateOf(policy)).toBe('open');
      expect(scene.clock.pending).toBe(0);
    }
  });

  test('a probe URL that responds releases the calls that wait', async () => {
    const scene = scenario([totalTimeout(), make({ probe: '/health' })]);
    await trip(scene);
    expect(await get(scene)).toBe(200);
    expect(scene.clock.pending).toBe(0);
  });
});

test('`key` names the circuit for 5xx, here by the first part of the path', async () => {
  const policy = breaker({ key: ({ url }) => new URL(url).pathname.split('/')[1] ?? '' });
  const scene = scenario([policy]);
  for (let call = 0; call < 5; call++) {
    scene.origin.replies(status(500));
    await get(scene, `${URL_}/${call}`);
  }
  expect(await get(scene)).toBe('circuit-open');
  expect(await get(scene, `${ORIGIN}/users`)).toBe(200);
  policy.reset('orders');
  policy.isolate('users');
  expect(await get(scene)).toBe(200);
  expect(await get(scene, `${ORIGIN}/users/1`)).toBe('circuit-open');
});

test('with `key` the origin, 5xx of a path count against the whole origin', async () => {
  const scene = scenario([breaker({ key: (_, { origin }) => origin })]);
  for (let call = 0; call < 5; call++) {
    scene.origin.replies(status(500));
    await get(scene);
  }
  expect(await get(scene, `${ORIGIN}/users`)).toBe('circuit-open');
});

test('a listener that throws does not disturb the call', async () => {
  const policy = breaker({ failures: 1 });
  policy.subscribe(() => {
    throw new Error('mine');
  });
  const scene = scenario([policy]);
  scene.origin.replies(networkError());
  expect(await get(scene)).toBe('network');
  expect(stateOf(policy)).toBe('open');
});

/** Tabs that receive the messages of one another at once. */
function neighbours(): Sharing & { open: number } {
  const all = new Set<{ receive: (circuit: SharedState) => void; known: () => SharedState[] }>();
  return {
    open: 0,
    connect(receive, known): Connection {
      const self = { receive, known };
      this.open++;
      for (const other of all) for (const circuit of other.known()) receive(circuit);
      all.add(self);
      return {
        broadcast: (circuit) => {
          for (const other of all) if (other !== self) other.receive(circuit);
        },
        close: () => {
          this.open--;
          all.delete(self);
        },
      };
    },
  };
}

describe('a shared circuit', () => {
  test('a shared circuit is open in the next tab, also in one that loads later', async () => {
    const share = neighbours();
    const [one, two] = [scenario([breaker({ share })]), scenario([breaker({ share })])];
    await get(two);
    await trip(one);
    expect(await get(two)).toBe('circuit-open');
    expect(await get(scenario([breaker({ share })]))).toBe('circuit-open');
  });

  test('a closed or reset circuit is closed in all tabs, and an isolated one is isolated in its tab alone', async () => {
    const share = neighbours();
    const policies = [breaker({ share }), breaker({ share })] as const;
    const [one, two] = [scenario([policies[0]]), scenario([policies[1]])];
    await get(two);
    await trip(one);
    await one.clock.advance(6_000);
    await get(one);
    await get(one);
    expect(stateOf(policies[1])).toBe('closed');
    policies[0].isolate(ORIGIN);
    expect(await get(two)).toBe(200);
    await trip(two);
    policies[1].reset();
    expect(await get(one)).toBe('circuit-open');
    expect(stateOf(policies[0])).toBe('isolated');
    policies[0].reset();
    expect(await get(one)).toBe(200);
  });

  test('two tabs that probe at once do not stop each other', async () => {
    let receive: Parameters<Sharing['connect']>[0] = () => {};
    const policy = breaker({
      share: {
        connect(onMessage) {
          receive = onMessage;
          return { broadcast() {}, close() {} };
        },
      },
    });
    const scene = scenario([policy]);
    await trip(scene);
    await scene.clock.advance(6_000);
    const probe = get(scene);
    receive({ key: ORIGIN, is: 'half-open', left: 4_000, times: 1 });
    expect(await probe).toBe(200);
    expect(await get(scene)).toBe(200);
    expect(stateOf(policy)).toBe('closed');
    // A tab that does not probe leaves the probe to the one that does.
    receive({ key: ORIGIN, is: 'half-open', left: 4_000, times: 1 });
    expect(await get(scene)).toBe('circuit-open');
  });

  test('close ends the connection to other tabs', async () => {
    const share = neighbours();
    const scene = scenario([breaker({ share })]);
    await get(scene);
    expect(share.open).toBe(1);
    await scene.fetch.close();
    expect(share.open).toBe(0);
  });

  // The channels of Workers reach no other client.
  test.skipIf(noTabs)('tabs share by a channel, and ignore foreign messages on it', async () => {
    const name = `holdfast-test-${Math.random()}`;
    const share = betweenTabs(name);
    const policy = breaker({ share });
    const [one, two] = [scenario([breaker({ share })]), scenario([policy])];
    await get(two);
    const stranger = new BroadcastChannel(name);
    for (const noise of [null, 5, 'x', { key: 1 }, { key: 'a', is: 'open', left: 'x', times: 1 }])
      stranger.postMessage(noise);
    const arrived = new Promise<void>((resolve) => {
      policy.subscribe(() => resolve());
    });
    await trip(one);
    await arrived;
    expect(Object.keys(policy.states())).toEqual([ORIGIN]);
    expect(stateOf(policy)).toBe('open');
    stranger.close();
    await one.fetch.close();
    await two.fetch.close();
  });
});

test.each([
  [{ slowRate: 1.5 }, /breaker\.slowRate: 1\.5 is not allowed; expected a number from 0 to 1/],
  [{ probe: 'http://[' }, /breaker\.probe: 'http:\/\/\[' is not allowed; expected a URL/],
  [{ slowAfter: '5 s' }, /breaker\.slowAfter: '5 s' is not allowed.*did you mean '5s'/],
])('an impossible option throws an error with a reason: %j', (options, message) => {
  expect(() => breaker(options as never)).toThrow(message);
});
