import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { deno } from '../../tools/runtimes/installed.ts';

const execute = promisify(execFile);
const require = createRequire(import.meta.url);

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'holdfast-types-'));
});
afterAll(() => rm(folder, { recursive: true }));

const write = (name: string, content: string | object): Promise<void> =>
  writeFile(join(folder, name), typeof content === 'string' ? content : JSON.stringify(content));

/** @returns what a program complains of; nothing where it does not. */
const complaints = (program: string, ...args: string[]): Promise<string> =>
  execute(program, args, {
    cwd: folder,
    env: { ...process.env, NO_COLOR: '1', WRANGLER_SEND_METRICS: 'false' },
  }).then(
    () => '',
    ({ stdout, stderr }) => `${stdout}${stderr}`,
  );

describe('what a platform has is what a store takes', () => {
  test('in Workers', async () => {
    await write('wrangler.json', { name: 'types', main: 'worker.ts', compatibility_date: '2026-07-01' });
    await write('worker.ts', worker);
    // It comes with Vitest's plugin for Workers.
    const wrangler = resolve('node_modules/wrangler/bin/wrangler.js');
    expect(
      await complaints(process.execPath, wrangler, 'types', '--include-env=false', 'platform.d.ts'),
    ).toBe('');
    const strict = { strict: true, noEmit: true, exactOptionalPropertyTypes: true, skipLibCheck: true };
    const modules = { module: 'esnext', moduleResolution: 'bundler', allowImportingTsExtensions: true };
    await write('tsconfig.json', {
      compilerOptions: { ...strict, ...modules, target: 'es2023', lib: ['esnext'], types: [] },
      files: ['platform.d.ts', 'worker.ts'],
    });
    expect(await complaints(process.execPath, require.resolve('typescript/bin/tsc'), '-p', '.')).toBe('');
  }, 60_000);

  test.skipIf(!deno)(
    'in Deno',
    async () => {
      await write('main.ts', main);
      const check = ['check', '--no-lock', '--no-config', '--unstable-kv'];
      expect(await complaints(deno as string, ...check, 'main.ts')).toBe('');
    },
    60_000,
  );
});

const worker = `
  import { durableObjectStore } from '${resolve('src/stores/sql/durable-object.ts')}';
  import { webCacheStore } from '${resolve('src/stores/web-cache.ts')}';
  import { workersKVStore } from '${resolve('src/stores/workers-kv.ts')}';

  declare const env: { readonly CACHE: KVNamespace };
  declare const ctx: DurableObjectState;

  workersKVStore(env.CACHE);
  durableObjectStore(ctx.storage);
  webCacheStore(caches.default);
  webCacheStore(() => caches.open('responses'));
  // @ts-expect-error: the state and not its storage
  durableObjectStore(ctx);
`;

const main = `
  import { denoKvStore } from '${resolve('src/deno.ts')}';

  denoKvStore(await Deno.openKv());
  denoKvStore(() => Deno.openKv('orders.db'));
  denoKvStore(Deno.openKv);
  // @ts-expect-error: it is not open yet
  denoKvStore(Deno.openKv());
`;
