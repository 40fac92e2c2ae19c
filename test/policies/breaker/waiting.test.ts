import { describe, expect, test } from 'vitest';
import type { CallOptions } from '../../../src/core/contract.ts';
import { ClosedError } from '../../../src/core/errors.ts';
import { pipeline } from '../../../src/core/pipeline.ts';
import type { BreakerOptions } from '../../../src/policies/breaker/breaker.ts';
import { breaker } from '../../../src/policies/breaker/breaker.ts';
import { bulkhead } from '../../../src/policies/bulkhead.ts';
import { retry } from '../../../src/policies/retry/retry.ts';
import { attemptTimeout, totalTimeout } from '../../../src/policies/timeout.ts';
import {
  hang,
  networkError,
  ok,
  type Step,
  scriptedOrigin,
  slow,
  status,
  testHost,
} from '../../../src/testing.ts';
import { many, statusOf } from '../../support/calls.ts';
import { ORIGIN, type Scenario, scenario } from '../../support/scenario.ts';

const URL_ = `${ORIGIN}/orders`;

type Init = RequestInit & { holdfast?: CallOptions };

const get = ({ fetch }: Scenario, init?: Init, url = URL_): Promise<number | string> =>
  statusOf(fetch(url, init));

/** A circuit that has just opened. */
async function opened(options: BreakerOptions = {}, more: Parameters<typeof scenario>[1] = {}) {
  const policy = breaker({ failures: 1, ...options });
  const scene = scenario([totalTimeout(), policy, attemptTimeout()], more);
  scene.origin.replies(networkError());
  await get(scene);
  expect(policy.states()[ORIGIN]?.state).toBe('open');
  return scene;
}

describe('while a circuit is open', () => {
  test('calls wait for one probe, and are released when it succeeds', async () => {
    const scene = await opened({ slowStart: false });
    scene.origin.otherwise(slow(scene.clock, 100));
    expect(await Promise.all(many(4, () => get(scene)))).toEqual([200, 200, 200, 200]);
    const [, probe = 0, ...rest] = scene.origin.seen.map(({ at }) => at);
    expect(probe).toBeGreaterThanOrEqual(240);
    expect(rest).toEqual([probe + 100, probe + 100, probe + 100]);
    expect(scene.emitted('waiting')).toHaveLength(4);
    expect(scene.emitted('released').map(({ waited }) => waited)).toEqual([probe, ...rest]);
    expect(scene.clock.pending).toBe(0);
  });

  test('calls are released a few at a time', async () => {
    const scene = await opened();
    scene.origin.otherwise(slow(scene.clock, 100));
    await Promise.all(many(15, () => get(scene)));
    const at = scene.origin.seen.slice(1).map(({ at }) => at);
    const waves = [...new Set(at)].map((wave) => at.filter((each) => each === wave).length);
    expect(waves).toEqual([1, 2, 4, 8]);
  });

  test('ten calls send a probe each time it is due, and give up after 5 s', async () => {
    const scene = await opened();
    scene.origin.otherwise(networkError());
    const began = scene.clock.ticks();
    const ends = await Promise.all(
      many(10, async () => [await get(scene), scene.clock.ticks() - began] as const),
    );
    expect(scene.origin.seen.length - 1).toBeLessThanOrEqual(5);
    for (const [, ms] of ends) expect(ms).toBeLessThanOrEqual(5_000);
    expect(ends.filter(([how]) => how === 'circuit-open').length).toBeGreaterThanOrEqual(5);
    expect(scene.clock.pending).toBe(0);
  });

  test('a call waits no longer than its total time', async () => {
    const scene = await opened({ openFor: '2s', maxOpenFor: '4s' });
    expect(await get(scene, { holdfast: { timeout: { total: '1s', attempt: '1s' } } })).toBe('circuit-open');
    expect(scene.clock.ticks()).toBe(0);
  });

  test('a call is rejected at once if no probe is due in its time', async () => {
    const scene = await opened({ maxWait: '1s', openFor: '4s' });
    expect(await get(scene)).toBe('circuit-open');
    expect(scene.clock.ticks()).toBe(0);
  });

  test('a call is rejected at once if a cached response stands in', async () => {
    const policy = breaker({ failures: 1 });
    const scene = scenario([
      (next) => (request, call) => next(request, { ...call, standsIn: async () => true }),
      policy,
    ]);
    scene.origin.replies(networkError());
    await get(scene);
    expect(await get(scene)).toBe('circuit-open');
    expect(scene.clock.ticks()).toBe(0);
  });

  test('an abort ends the wait at once, with its own reason', async () => {
    const scene = await opened();
    const controller = new AbortController();
    const reason = new Error('mine');
    scene.clock.after(100, () => controller.abort(reason));
    await expect(scene.fetch(URL_, { signal: controller.signal })).rejects.toBe(reason);
    expect(scene.clock.pending).toBe(0);
  });

  test('a caller that aborts while its call is the probe leaves the next probe to another call', async () => {
    const scene = await opened();
    const controller = new AbortController();
    scene.origin.replies(hang());
    const probe = scene.fetch(URL_, { signal: controller.signal }).catch((error) => error.name);
    const other = get(scene);
    scene.clock.after(500, () => controller.abort());
    expect(await probe).toBe('AbortError');
    expect(await other).toBe(200);
    expect(scene.clock.ticks()).toBe(500);
  });

  test.each([
    ['at the breaker', {}],
    ['in the bulkhead, and then at the breaker', { holdfast: { bulkhead: false } }],
  ])(
    'a caller that aborts as its call is released, having waited %s, leaves the permit to another',
    async (_, init) => {
      const controller = new AbortController();
      const scene = scenario([totalTimeout(), breaker({ failures: 1 }), bulkhead({ limit: 1 })], {
        onEvent: ({ type }) => type === 'released' && controller.abort(new RangeError()),
      });
      const isQueued = 'holdfast' in init;
      if (isQueued) {
        scene.origin.replies(slow(scene.clock, 100));
        void get(scene);
      }
      scene.origin.replies(networkError());
      const failing = get(scene, init);
      if (!isQueued) await failing;
      const aborted = get(scene, { signal: controller.signal });
      const other = get(scene);
      expect(await aborted).toBe('RangeError');
      expect(await other).toBe(200);
      expect(scene.clock.ticks()).toBeLessThan(1_000);
      expect(scene.clock.pending).toBe(0);
    },
  );

  test('a probe that hangs releases its permit while the others still wait', async () => {
    const scene = await opened();
    scene.origin.replies(hang());
    const probe = get(scene);
    expect(await get(scene)).toBe(200);
    expect(scene.clock.ticks()).toBeLessThan(5_000);
    expect(await probe).toBe('timeout-attempt');
  });

  test('close ends the wait of a call', async () => {
    const scene = await opened();
    const call = scene.fetch(URL_).catch((error) => error);
    await scene.fetch.close();
    expect(await call).toBeInstanceOf(ClosedError);
    expect(scene.clock.pending).toBe(0);
  });

  test('calls that may not share I/O wait by a timer each', async () => {
    const scene = await opened({ slowStart: false }, { canShareIO: false });
    expect(await Promise.all(many(4, () => get(scene)))).toEqual([200, 200, 200, 200]);
    expect(scene.origin.seen.at(-1)?.at).toBeLessThan(1_000);
    expect(scene.clock.pending).toBe(0);
  });

  test('a POST without a key waits, is sent once as the probe, and is never repeated', async () => {
    const policy = breaker({ failures: 1 });
    const scene = scenario([totalTimeout(), retry(), policy]);
    scene.origin.otherwise(networkError());
    expect(await get(scene, { method: 'POST', body: '1' })).toBe('network');
    expect(await get(scene, { method: 'POST', body: '2' })).toBe('network');
    expect(scene.origin.seen.map(({ body }) => body)).toEqual(['1', '2']);
  });

  test('a call that waited in the bulkhead waits for the probe, too', async () => {
    const scene = scenario([totalTimeout(), breaker({ failures: 1 }), bulkhead({ limit: 1 })]);
    scene.origin.replies((_, signal) => {
      signal.throwIfAborted();
      throw networkError();
    });
    expect(await Promise.all([get(scene), get(scene), get(scene)])).toEqual(['network', 200, 200]);
    expect(scene.origin.seen).toHaveLength(3);
  });
});

describe('while an origin does not respond', () => {
  /** Refuses connections for `ms` from the start. */
  const blip = (scene: Scenario, ms: number): Step => {
    return () => {
      if (scene.clock.ticks() < ms) throw networkError();
      return ok();
    };
  };
  const world = (seed = 1) => scenario([totalTimeout(), retry(), breaker(), attemptTimeout()], { seed });

  test.each([300, 1_000, 3_000])(
    'an origin that does not respond for %d ms gets at most three requests of one call, which succeeds',
    async (ms) => {
      for (let seed = 1; seed <= 20; seed++) {
        const scene = world(seed);
        scene.origin.otherwise(blip(scene, ms));
        expect(await get(scene)).toBe(200);
        expect(scene.origin.seen.length).toBeLessThanOrEqual(3);
        expect(scene.clock.ticks()).toBeLessThan(5_000);
      }
    },
  );

  test.each([300, 1_000, 3_000])(
    'an origin that does not respond for %d ms gets few probes of ten calls, which succeed',
    async (ms) => {
      for (let seed = 1; seed <= 20; seed++) {
        const scene = world(seed);
        scene.origin.otherwise(blip(scene, ms));
        expect(await Promise.all(many(10, () => get(scene)))).toEqual(Array(10).fill(200));
        expect(scene.origin.seen.length).toBeLessThanOrEqual(25);
      }
    },
  );

  test('repetitions are sent one at a time', async () => {
    const scene = world();
    let inFlight = 0;
    let most = 0;
    scene.origin.replies(...many(10, () => networkError()));
    scene.origin.otherwise(async () => {
      most = Math.max(most, ++inFlight);
      await new Promise<void>((resolve) => void scene.clock.after(50, resolve));
      inFlight--;
      throw networkError();
    });
    await Promise.all(many(10, () => get(scene)));
    expect(most).toBe(1);
  });

  test('the last attempt of a call waits until 4 s after the first failure', async () => {
    const scene = world();
    scene.origin.otherwise(networkError());
    expect(await get(scene)).toBe('network');
    expect(scene.origin.seen.map(({ at }) => at).at(-1)).toBe(4_000);
    expect(scene.origin.seen).toHaveLength(3);
  });

  test('a flaky origin makes no call wait: its circuit stays closed', async () => {
    const scene = world();
    scene.origin.replies(networkError(), ok());
    await get(scene);
    const began = scene.clock.ticks();
    scene.origin.otherwise(networkError());
    expect(await get(scene)).toBe('network');
    expect(scene.clock.ticks() - began).toBeLessThan(1_500);
  });

  test('the first call that succeeds releases all that wait', async () => {
    const scene = world();
    scene.origin.replies(...many(12, () => networkError()));
    const waiting = many(10, () => get(scene));
    scene.clock.after(700, () => void get(scene));
    expect(await Promise.all(waiting)).toEqual(Array(10).fill(200));
    expect(scene.clock.ticks()).toBeLessThan(1_500);
  });

  test('a 5xx is a response: calls that get one do not wait for one another', async () => {
    const scene = world();
    scene.origin.otherwise(() => status(503));
    await Promise.all(many(3, () => get(scene)));
    expect(scene.emitted('waiting')).toEqual([]);
  });
});

describe('a troubled origin', () => {
  const world = () => scenario([totalTimeout(), retry(), breaker(), attemptTimeout()]);
  /** A call every 100 ms, for `seconds`. */
  const calls = async (scene: Scenario, seconds: number): Promise<(number | string)[]> => {
    const made: Promise<number | string>[] = [];
    for (let n = 0; n < seconds * 10; n++) {
      scene.clock.after(n * 100, () => void made.push(get(scene)));
    }
    await scene.clock.advance(seconds * 1_000 + 40_000);
    return Promise.all(made);
  };

  test('an origin that responds to probes alone costs each call at most three requests, and all calls end', async () => {
    const scene = world();
    let isProbe = false;
    scene.origin.otherwise(() => {
      // The first request after each second without one.
      if (isProbe) {
        isProbe = false;
        return ok();
      }
      throw networkError();
    });
    for (let n = 1; n < 40; n++)
      scene.clock.after(n * 1_000, () => {
        isProbe = true;
      });
    const ends = await calls(scene, 20);
    expect(ends).toHaveLength(200);
    expect(scene.origin.seen.length).toBeLessThanOrEqual(3 * 200);
    expect(scene.clock.pending).toBe(0);
  });

  test('an origin that flaps every second responds to every call', async () => {
    const scene = world();
    scene.origin.otherwise(() => {
      if (Math.floor(scene.clock.ticks() / 1_000) % 2) throw networkError();
      return ok();
    });
    expect((await calls(scene, 20)).filter((end) => end !== 200)).toEqual([]);
    expect(scene.origin.seen.length).toBeLessThanOrEqual(2 * 200);
  });

  test('an origin that sends Retry-After in the middle of a blip gets its pause, and the call succeeds', async () => {
    const scene = world();
    scene.origin.otherwise(() => {
      const now = scene.clock.ticks();
      if (now === 0) return status(503, { 'retry-after': '1' });
      if (now < 2_000) throw networkError();
      return ok();
    });
    expect(await get(scene)).toBe(200);
    const [, second = 0, ...rest] = scene.origin.seen.map(({ at }) => at);
    expect(second).toBeGreaterThanOrEqual(1_000);
    expect(rest).toHaveLength(1);
  });
});

test('a wall clock that is set back or forward by a day changes no wait', async () => {
  for (const day of [-86_400_000, 86_400_000]) {
    const host = testHost();
    let jump = 0;
    const clock = { ...host.clock, now: () => host.clock.now() + jump };
    const origin = scriptedOrigin(host.clock);
    const fetch = pipeline([totalTimeout(), retry(), breaker(), attemptTimeout()], {
      host: { ...host, clock },
      fetch: origin.fetch,
    });
    origin.otherwise(() => {
      if (host.clock.ticks() < 1_000) throw networkError();
      return ok();
    });
    host.clock.after(500, () => {
      jump = day;
    });
    const all = await Promise.all(many(10, () => fetch(URL_).then(({ status }) => status)));
    expect(all).toEqual(Array(10).fill(200));
    expect(host.clock.ticks()).toBeLessThan(3_000);
  }
});
