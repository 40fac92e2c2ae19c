import { expect, test } from 'vitest';
import { memoryStore } from '../../src/stores/memory.ts';
import { storeContract } from '../contracts/store.ts';

storeContract(() => ({ store: memoryStore() }));

test('what is asked for again and again is found without looking at everything', async () => {
  const store = memoryStore();
  const [items, asked] = [30_000, 3_000];
  await store.write(
    Array.from({ length: items }, (_, n) => ({
      put: { key: `${n}`.padStart(5, '0'), group: `lane ${n % 100}`, collection: `user ${n % 10}`, value: n },
    })),
  );
  // Each of these takes milliseconds where it is looked for; the time limit of the test is the proof.
  const wrong: unknown[] = [];
  for (let n = 0; n < asked; n++) {
    const [lane, user] = [n % 100, n % 10];
    const [first] = await store.range({ group: `lane ${lane}`, after: '15099', limit: 1 });
    if (first?.value !== 15_100 + lane) wrong.push(first);
    const last = await store.range({ collection: `user ${user}`, after: '29990', limit: 1 });
    if (last.length !== (user === 0 ? 0 : 1)) wrong.push(last);
    const groups = await store.groups('lane 9', 1);
    if (groups.join() !== 'lane 9') wrong.push(groups);
    const count = await store.count({ group: `lane ${lane}` });
    if (count !== items / 100) wrong.push(count);
  }
  expect(wrong).toEqual([]);
});
