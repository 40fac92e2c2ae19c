import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { times } from '../support/extent.ts';

const CALLS = times({ test: 20_000, soak: 100_000 });

const program = fileURLToPath(new URL('resident.ts', import.meta.url));

async function residentAfter(what: 'stub' | 'ours'): Promise<number> {
  const { stdout } = await promisify(execFile)(process.execPath, [program, what, String(CALLS)]);
  return Number(stdout);
}

test(`after ${CALLS} calls the resident set is no larger than twice that of a bare stub`, async () => {
  const stub = await residentAfter('stub');
  expect(stub).toBeGreaterThan(0);
  expect(await residentAfter('ours')).toBeLessThan(2 * stub);
}, 240_000);
