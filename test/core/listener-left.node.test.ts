import { getEventListeners } from 'node:events';
import { expect, test } from 'vitest';
import type { Wrapper } from '../../src/core/contract.ts';
import { pipeline } from '../../src/core/pipeline.ts';
import { cachePolicy } from '../../src/policies/cache/cache.ts';
import { retry } from '../../src/policies/retry/retry.ts';
import { memoryStore } from '../../src/stores/memory.ts';
import { ok } from '../../src/testing.ts';

test('a call that fails for its partition leaves no listener on the caller’s signal', async () => {
  const { signal } = new AbortController();
  const fetch = pipeline([cachePolicy({}, memoryStore)], { partition: () => '', fetch: async () => ok() });
  for (let times = 0; times < 3; times++)
    await expect(fetch('https://a.example/x', { signal })).rejects.toThrow('partition');
  expect.soft(getEventListeners(signal, 'abort')).toHaveLength(0);
  await fetch.close();
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
});

test('nor does one whose route has a matcher that throws', async () => {
  const { signal } = new AbortController();
  const match = (): boolean => {
    throw new Error('no match');
  };
  const routes = [{ match, retry: 0 }];
  const fetch = pipeline([retry()], { routes, fetch: async () => ok() });
  await expect(fetch('https://a.example/x', { signal })).rejects.toThrow('no match');
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  await fetch.close();
});

test('nor does one whose outermost wrapper gives no promise; and it has ended', async () => {
  const { signal } = new AbortController();
  const types: string[] = [];
  const broken = (() => () => undefined) as unknown as Wrapper;
  const fetch = pipeline([broken], { fetch: async () => ok(), onEvent: ({ type }) => types.push(type) });
  await expect(fetch('https://a.example/x', { signal })).rejects.toThrow(TypeError);
  expect.soft(types).toEqual(['call-started', 'call-ended']);
  expect(getEventListeners(signal, 'abort')).toHaveLength(0);
  await fetch.close();
});
