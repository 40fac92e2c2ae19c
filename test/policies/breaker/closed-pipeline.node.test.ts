import { expect, test } from 'vitest';
import { pipeline } from '../../../src/core/pipeline.ts';
import { breaker } from '../../../src/policies/breaker/breaker.ts';
import { hang, networkError, ok } from '../../../src/testing.ts';
import { ORIGIN, scenario } from '../../support/scenario.ts';

test('a pipeline that closes during its probe releases the permit to the others', async () => {
  const circuits = breaker({ probe: '/health', failures: 1, openFor: 100, maxWait: 1_000 });
  const { fetch: one, origin, host, clock } = scenario([circuits]);
  const two = pipeline([circuits], { host, fetch: origin.fetch });
  origin.replies(networkError(), hang());
  await one(`${ORIGIN}/x`).catch(() => {});
  await clock.advance(200);
  const waiting = one(`${ORIGIN}/x`).catch((error) => error.code);
  while (origin.seen.length < 2) await Promise.resolve();
  const closed = one.close();
  expect(circuits.states()[ORIGIN]?.state).toBe('half-open');
  expect(await waiting).toBe('closed');
  await closed;
  origin.otherwise(() => ok());
  // Long before a permit that is not released would run out.
  const next = two(`${ORIGIN}/x`);
  await clock.advance(1_000);
  expect((await next).status).toBe(200);
  await two.close();
});
