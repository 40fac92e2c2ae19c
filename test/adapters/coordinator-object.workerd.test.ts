import { createExecutionContext, runInDurableObject, waitOnExecutionContext } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import { expect, test } from 'vitest';
import { betweenIsolates, type CoordinatorObject, coordinatorObject } from '../../src/cloudflare.ts';
import { pipeline } from '../../src/core/pipeline.ts';
import { breaker } from '../../src/policies/breaker/breaker.ts';
import { status } from '../../src/testing.ts';

const ORIGIN = 'https://api.example.com';

/**
 * Clients of one name share their state through the isolate as well; `every` makes this one an
 * isolate of its own.
 */
function isolate(name: string, nth: number) {
  const share = betweenIsolates(env.COORDINATOR, { name, every: 200 + nth });
  const policy = breaker({ share, openFor: '2s', maxWait: 0 });
  const fetch = pipeline([policy], { fetch: async () => status(503) });
  return {
    policy,
    /** As in a handler: background work ends after the response, and before the end of the request. */
    async get(): Promise<number | string> {
      const context = createExecutionContext();
      const result = await fetch(ORIGIN, {
        holdfast: { waitUntil: (work: Promise<unknown>) => context.waitUntil(work) },
      }).then(
        ({ status }) => status,
        ({ code }) => code as string,
      );
      await waitOnExecutionContext(context);
      return result;
    },
  };
}

const trip = async ({ get }: ReturnType<typeof isolate>): Promise<void> => {
  for (let call = 0; call < 6; call++) await get();
};

test('a circuit that one isolate opened is open in the next after its first call', async () => {
  const [one, two] = [isolate('shared', 0), isolate('shared', 1)];
  await trip(one);
  expect(await two.get()).toBe(503);
  expect(await two.get()).toBe('circuit-open');
});

test('objects of two names share nothing', async () => {
  const [one, two] = [isolate('a', 0), isolate('b', 0)];
  await trip(one);
  for (let call = 0; call < 3; call++) expect(await two.get()).toBe(503);
});

test('an object rejects an invalid message, and goes on for the others', async () => {
  const stub = env.COORDINATOR.getByName('garbage');
  await runInDurableObject(stub, async (object) => {
    const coordinator = object as CoordinatorObject;
    for (const garbage of [undefined, null, 5, {}, { from: 7 }, { from: 'x', version: -1, states: [] }])
      await expect(coordinator.exchange(garbage as never)).rejects.toThrow('not a message of isolates');
  });
  expect(await stub.exchange({ from: 'x', version: 0, states: [] })).toEqual({
    from: '',
    version: 0,
    states: [],
  });
});

test('coordinatorObject requires the base class DurableObject', () => {
  expect(() => coordinatorObject(undefined as never)).toThrow(
    /coordinatorObject\.Base: undefined .*DurableObject/,
  );
});
