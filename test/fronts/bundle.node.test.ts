import { expect, test } from 'vitest';
import { sizeOf } from '../../bench/size/measure.ts';

const carried = async (entry: string): Promise<string[]> => {
  const { files } = await sizeOf(new URL(`../../bench/size/${entry}.ts`, import.meta.url));
  return files.map(([file]) => file);
};

test('a bundle of createFetch has the plain breaker, and not what breaker() adds', async () => {
  const ofBreaker = (files: string[]) => files.filter((file) => file.startsWith('src/policies/breaker/'));
  const rare = ['breaker', 'managed-circuits', 'options', 'probe', 'remote', 'sharing', 'slow-calls'].map(
    (name) => `src/policies/breaker/${name}.ts`,
  );
  const plain = ofBreaker(await carried('create-fetch'));
  expect(plain).toContain('src/policies/breaker/plain.ts');
  expect(plain.filter((file) => rare.includes(file))).toEqual([]);
  expect(ofBreaker(await carried('all-without-ky'))).toEqual(expect.arrayContaining(rare));
});
