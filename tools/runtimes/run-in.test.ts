import { afterEach, expect, test, vi } from 'vitest';
import { filesFor } from './run-in.ts';
import { runtimes } from './runtimes.ts';

afterEach(() => vi.unstubAllEnvs());

const outbox = runtimes.find(({ name }) => name === 'outbox') as (typeof runtimes)[number];
const namesOf = (filters: readonly string[]) =>
  filesFor(outbox, filters).map((file) => file.split('/').at(-1));

test('soak runs the files that do more in it and those that are left to it; npm test, all but the latter', () => {
  vi.stubEnv('HOLDFAST_SOAK', undefined);
  const short = namesOf([]);
  vi.stubEnv('HOLDFAST_SOAK', '1');
  const soak = namesOf([]);
  expect(short).toEqual(expect.arrayContaining(['killed-browser.e2e.ts', 'many.e2e.ts']));
  expect(short).not.toContain('broken-on-purpose.e2e.ts');
  expect(soak).toEqual(expect.arrayContaining(['killed-browser.e2e.ts', 'broken-on-purpose.e2e.ts']));
  expect(soak).not.toContain('many.e2e.ts');
});

test('a filter finds a file that is left to soak, too', () => {
  vi.stubEnv('HOLDFAST_SOAK', undefined);
  expect(namesOf(['broken-on-purpose'])).toEqual(['broken-on-purpose.e2e.ts']);
});
