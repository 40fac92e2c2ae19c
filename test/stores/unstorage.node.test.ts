import { mkdtemp, readdir, rm, truncate } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createStorage } from 'unstorage';
import fsDriver from 'unstorage/drivers/fs';
import fsLiteDriver from 'unstorage/drivers/fs-lite';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { unstorageStore } from '../../src/unstorage.ts';
import { storeLaws } from '../contracts/store.ts';
import { servesStale } from '../support/over-store.ts';

let folder: string;
let made = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-unstorage-'));
});
afterAll(() => rm(folder, { recursive: true }));

describe.each([
  ['fs', fsDriver],
  ['fs-lite', fsLiteDriver],
] as const)('unstorage over files (%s)', (_, driver) => {
  const open = (base: string) => unstorageStore(createStorage({ driver: driver({ base }) }));
  const newBase = (): string => join(folder, `${++made}`);

  // The path of a file has at most 4,096 bytes.
  storeLaws(
    () => {
      const base = newBase();
      return { store: open(base), reopen: () => open(base) };
    },
    { longestKey: 2_000 },
  );

  test('a stale cache over it serves what another process has stored', () => {
    const base = newBase();
    return servesStale(() => open(base));
  });

  test('gives no half of a file that a process left when it was ended', async () => {
    const base = newBase();
    await open(base).write([{ put: { key: 'a b', value: 1 }, body: new Uint8Array(10_000) }]);
    const inside = join(base, 'holdfast', 'ka');
    expect((await readdir(inside)).sort()).toEqual(['kb.body', 'kb.item']);
    await truncate(join(inside, 'kb.body'), 5_000);
    const [whole] = await open(base).rangeWithBodies({ prefix: 'a ' });
    expect(whole).toEqual({ key: 'a b', value: 1, body: undefined });
    await truncate(join(inside, 'kb.item'), 20);
    expect(await open(base).range({})).toEqual([]);
  });
});
