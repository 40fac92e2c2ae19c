/** In Workers, the timers and fetches of a request whose client has gone never come back. */
import { expect, test } from 'vitest';
import type { Policy } from '../../src/core/contract.ts';
import { breaker } from '../../src/policies/breaker/breaker.ts';
import { bulkhead } from '../../src/policies/bulkhead.ts';
import { hang, networkError, ok, testHost } from '../../src/testing.ts';
import { statusOf } from '../support/calls.ts';
import { quiet } from '../support/platform.ts';
import { ORIGIN, scenario } from '../support/scenario.ts';

const URL_ = `${ORIGIN}/orders`;

/** Each call is a request of its own. */
function isolate(policy: Policy) {
  const { clock, ...host } = testHost({ canShareIO: false });
  let request = 0;
  const cutOff = new Set<number>();
  const after: typeof clock.after = (ms, task, options) => {
    const own = request;
    return clock.after(ms, () => cutOff.has(own) || task(), options);
  };
  const scene = scenario([policy], { host: { ...host, clock: { ...clock, after } } });
  return {
    ...scene,
    async get(): Promise<number | string> {
      request++;
      return statusOf(scene.fetch(URL_));
    },
    /** Begins a request whose client goes a moment later. */
    cutOff: () =>
      clock.busy(
        (async () => {
          request++;
          void statusOf(scene.fetch(URL_));
          await quiet();
          cutOff.add(request);
        })(),
      ),
    advance: clock.advance,
  };
}

test('calls that were cut off hold their slots for a minute', async () => {
  const { origin, get, cutOff, advance } = isolate(bulkhead({ limit: 2 }));
  origin.otherwise(hang());
  await cutOff();
  await cutOff();
  origin.otherwise(() => ok());
  expect(await get()).toBe('bulkhead-full');
  await advance(60_000);
  expect([await get(), await get()]).toEqual([200, 200]);
});

test('a probe that was cut off gives its permit back', async () => {
  const policy = breaker({ probe: '/health', probeTimeout: '5s', failures: 1, maxWait: 0 });
  const { origin, get, cutOff, advance } = isolate(policy);
  origin.replies(networkError());
  expect(await get()).toBe('network');
  await advance(1_000);
  origin.otherwise(hang());
  await cutOff();
  expect(origin.seen.at(-1)?.url).toBe(`${ORIGIN}/health`);
  origin.otherwise(() => ok());
  expect(await get()).toBe('circuit-open');
  await advance(10_000);
  await get();
  expect([await get(), policy.states()[ORIGIN]?.state]).toEqual([200, 'closed']);
});
