import { expect, test } from 'vitest';
import { memoryStore } from '../../src/stores/memory.ts';
import { storeContract } from '../contracts/store.ts';

storeContract(() => ({ store: memoryStore() }));

test('what is asked for again and again is found without looking at everything', async () => {
  const store = memoryStore();
  const [items, asked] = [100_000, 2_000];
  await store.write(
    Array.from({ length: items }, (_, n) => ({
      put: { key: `${n}`.padStart(6, '0'), group: `lane ${n % 100}`, collection: `user ${n % 10}`, value: n },
    })),
  );
  // Each of these took some milliseconds when it was looked for; the time limit of the test is the proof.
  for (let n = 0; n < asked; n++) {
    const lane = n % 100;
    const [first] = await store.range({ group: `lane ${lane}`, after: '050000', limit: 1 });
    expect(first?.value).toBe(lane === 0 ? 50_100 : 50_000 + lane);
    expect(await store.range({ collection: `user ${n % 10}`, after: '099990', limit: 1 })).toHaveLength(
      n % 10 === 0 ? 0 : 1,
    );
    expect(await store.groups('lane 9', 1)).toEqual(['lane 9']);
    expect(await store.count({ group: `lane ${lane}` })).toBe(items / 100);
  }
});
