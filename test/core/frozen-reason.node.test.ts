import { expect, test } from 'vitest';
import { NetworkError } from '../../src/core/errors.ts';
import { hang } from '../../src/testing.ts';
import { ORIGIN, scenario } from '../support/scenario.ts';

test('a call ends, also where its error cannot be written to', async () => {
  const caller = new AbortController();
  const { fetch, origin } = scenario([]);
  origin.replies(hang());
  const calling = fetch(`${ORIGIN}/x`, { signal: caller.signal }).catch((error) => error);
  const reason = Object.freeze(new NetworkError('no', {}));
  caller.abort(reason);
  const late = new Promise((resolve) => setTimeout(resolve, 500, 'never ends'));
  expect(await Promise.race([calling, late])).toBe(reason);
});
