import { describe, expect, test } from 'vitest';
import type { Call, Policy } from '../../../src/core/contract.ts';
import { cachePolicy } from '../../../src/policies/cache/cache.ts';
import { memoryStore } from '../../../src/stores/memory.ts';
import { hang, networkError } from '../../../src/testing.ts';
import { type CachePage, fresh, URL_ } from '../../support/cache-page.ts';
import { durableStore } from '../../support/durable.ts';
import { quiet } from '../../support/platform.ts';
import { scenario } from '../../support/scenario.ts';

describe('a call says whether a cached response stands in', () => {
  async function asked(
    init: Parameters<CachePage['fetch']>[1] = {},
    { kept = true, headers = {}, breaks = false } = {},
  ): Promise<boolean | undefined> {
    let standsIn: boolean | undefined;
    const store = durableStore();
    const asking: Policy = (next) => (request, call) =>
      next(request, call).catch(async (error) => {
        if (breaks) store.break('fail');
        standsIn = await call.standsIn?.();
        throw error;
      });
    const cache = cachePolicy({ store, memory: false, validators: 'own' }, memoryStore);
    const page = scenario([cache, asking], { partition: 'ann' });
    page.origin.otherwise(() => fresh('one', 60, headers));
    const read = async (): Promise<void> => {
      await page.fetch(URL_, init).then((response) => response.text());
      await page.clock.busy(quiet());
    };
    if (kept) await read();
    await page.clock.advance(61_000);
    page.origin.otherwise(networkError());
    await read().catch(() => {});
    await page.fetch.close();
    return standsIn;
  }

  test('standsIn is true if a cached response can take the place of a failure', async () => {
    expect(await asked()).toBe(true);
  });

  test('standsIn is false without a cached response', async () => {
    expect(await asked({}, { kept: false })).toBe(false);
  });

  test('standsIn is false if the cached response has to be confirmed', async () => {
    expect(await asked({}, { headers: { 'cache-control': 'no-cache' } })).toBe(false);
  });

  test('standsIn is false for a request with no-store', async () => {
    expect(await asked({ headers: { 'cache-control': 'no-store' } })).toBe(false);
  });

  test('standsIn is false if the store fails', async () => {
    expect(await asked({}, { breaks: true })).toBe(false);
  });

  test('standsIn is absent from a write', async () => {
    expect(await asked({ method: 'PUT', body: 'x' })).toBe(undefined);
  });

  test('standsIn is false once the caller has the cached response, or has aborted', async () => {
    const cache = cachePolicy({ store: memoryStore(), validators: 'own' }, memoryStore);
    let call: Call | undefined;
    const seeing: Policy = (next) => (request, given) => {
      call = given;
      return next(request, given);
    };
    const page = scenario([cache, seeing], { partition: 'ann' });
    page.origin.replies(fresh('one'));
    await page.fetch(URL_).then((response) => response.text());
    await page.clock.busy(quiet());
    await page.clock.advance(61_000);
    page.origin.otherwise(hang());
    const reading = page.fetch(URL_);
    await page.clock.busy(quiet());
    expect(await call?.standsIn?.()).toBe(true);
    await reading;
    expect(await call?.standsIn?.()).toBe(false);
    const leaving = new AbortController();
    const left = page.fetch(`${URL_}?other`, { signal: leaving.signal }).catch(() => {});
    await page.clock.busy(quiet());
    leaving.abort();
    await left;
    expect(await call?.standsIn?.()).toBe(false);
    await page.fetch.close();
  });
});
