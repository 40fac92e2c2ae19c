import { expect, test } from 'vitest';
import { pipeline } from '../../../src/core/pipeline.ts';
import { cachePolicy } from '../../../src/policies/cache/cache.ts';
import { memoryStore } from '../../../src/stores/memory.ts';
import { macrotask, stalledBody } from '../../../src/testing.ts';

test('close() cancels a body that two reads share and neither has read', async () => {
  const { response, cancelled } = stalledBody();
  let sent = 0;
  const fetch = pipeline([cachePolicy({}, memoryStore)], {
    partition: 'ann',
    fetch: async () => {
      sent++;
      await macrotask();
      return response;
    },
  });
  const reads = await Promise.all([fetch('https://a.example/x'), fetch('https://a.example/x')]);
  const closed = fetch.close().then(() => 'closed');
  const late = new Promise((resolve) => setTimeout(resolve, 1_000, 'waits'));
  expect.soft(await Promise.race([closed, late])).toBe('closed');
  expect(cancelled()).toBe(true);
  expect([reads.length, sent]).toEqual([2, 1]);
});
