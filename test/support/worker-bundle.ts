import { resolve } from 'node:path';
import { build } from 'esbuild';

/** A Worker that a test has written down, as an application is built: the library by its name. */
export async function workerBundle(contents: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents, resolveDir: resolve('.') },
    bundle: true,
    format: 'esm',
    target: 'es2022',
    conditions: ['workerd', 'worker', 'browser'],
    external: ['cloudflare:*'],
    alias: { 'holdfast/cloudflare': resolve('src/cloudflare.ts'), holdfast: resolve('src/index.ts') },
    write: false,
  });
  return outputFiles.map(({ text }) => text).join('');
}
