import { expect, test } from 'vitest';
import { breaker } from '../../../src/policies/breaker/breaker.ts';
import { hang, networkError } from '../../../src/testing.ts';
import { ORIGIN, scenario } from '../../support/scenario.ts';

test('the caller’s abort does not count, even with the error of another call as its reason', async () => {
  const circuits = breaker({ failures: 2 });
  const { fetch, origin } = scenario([circuits]);
  for (let times = 0; times < 3; times++) {
    const caller = new AbortController();
    origin.replies(hang(), networkError());
    const aborted = fetch(`${ORIGIN}/x`, { signal: caller.signal });
    const failed = fetch(`https://other.example/${times}`);
    // As an application that makes several calls at once and aborts all when one fails.
    const error = await failed.catch((reason) => reason);
    const { origin: before } = error;
    caller.abort(error);
    await expect(aborted).rejects.toBe(error);
    expect.soft(error.origin).toBe(before);
  }
  expect(circuits.states()[ORIGIN]?.state).toBe('closed');
  await fetch.close();
});
