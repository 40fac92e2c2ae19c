import { describe, expect, test } from 'vitest';
import { sourceOf } from '../../../src/core/outcome.ts';
import { dedupe } from '../../../src/policies/dedupe.ts';
import { isFailure } from '../../../src/primitives/failure.ts';
import { hang, networkError } from '../../../src/testing.ts';
import { cachePage, fresh, URL_ } from '../../support/cache-page.ts';
import { scenario } from '../../support/scenario.ts';

describe('a read that has joined another', () => {
  test('is rejected with a failure that has its own facts', async () => {
    const { fetch, origin } = scenario([dedupe()]);
    origin.otherwise(networkError());
    const [, joined] = await Promise.allSettled([fetch(URL_), fetch(URL_)]);
    const { reason } = joined as PromiseRejectedResult;
    expect(isFailure(reason)).toBe(true);
    expect(reason.attempts).toHaveLength(1);
    expect(reason.callId).toMatch(/-2$/);
  });

  test('gets the cached response, as the one that it has joined does', async () => {
    const { fetch, origin, read } = cachePage();
    origin.replies(fresh('old', 0));
    await read();
    origin.otherwise(networkError());
    const responses = await Promise.all([fetch(URL_), fetch(URL_), fetch(URL_)]);
    expect(responses.map(sourceOf)).toEqual(['stale', 'stale', 'stale']);
  });

  test('the same after a time-out', async () => {
    const { fetch, origin, read } = cachePage({ respondAfter: false });
    origin.replies(fresh('old', 0));
    await read();
    origin.otherwise(hang());
    const responses = await Promise.all([fetch(URL_), fetch(URL_)]);
    expect(responses.map(sourceOf)).toEqual(['stale', 'stale']);
  });
});
