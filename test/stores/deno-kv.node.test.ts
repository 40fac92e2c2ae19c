import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { runCommand } from '../../tools/runtimes/command.ts';
import { deno } from '../../tools/runtimes/installed.ts';

const source = resolve('src/deno.ts');

/** Runs a program in Deno that has no KV. */
const withoutKv = (program: string) =>
  runCommand([deno as string, 'eval', '--no-lock', `import { denoKvStore } from '${source}'; ${program}`], {
    env: { NO_COLOR: '1' },
    timeLimit: 30_000,
  });

test.skipIf(!deno)(
  'without --unstable-kv it says what is missing',
  async () => {
    const early = await withoutKv('denoKvStore(Deno.openKv)');
    expect(early.problem).toBe('ended with code 1');
    expect(early.output).toContain('denoKvStore.kv: undefined is not allowed');
    expect(early.output).toContain('Deno.openKv is there with --unstable-kv');
    const late = await withoutKv('await denoKvStore(() => Deno.openKv()).get("a")');
    expect(late.problem).toBe('ended with code 1');
    expect(late.output).toContain(
      'StorageError: Deno KV: it could not be opened, as Deno runs without --unstable-kv: TypeError: Deno.openKv is not a function',
    );
  },
  60_000,
);
