import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { AS_KY } from '../support/as-ky.ts';

test('docs/ky.md prints the options object that the tests of parity use', () => {
  const [, code] =
    /## As close to ky[\s\S]*?createClient\(([\s\S]*?)\);/.exec(readFileSync('docs/ky.md', 'utf8')) ?? [];
  expect(new Function(`return ${code}`)()).toEqual(AS_KY);
});
