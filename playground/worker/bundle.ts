import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** As an application is built: the library by its name. */
export async function bundled(entry: URL, { minify = false } = {}): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(entry)],
    bundle: true,
    minify,
    format: 'esm',
    target: 'es2022',
    conditions: ['workerd', 'worker', 'browser'],
    external: ['cloudflare:workers'],
    alias: {
      holdfast: at('../../src/index.ts'),
      'holdfast/cloudflare': at('../../src/cloudflare.ts'),
    },
    write: false,
    logLevel: 'error',
  });
  return outputFiles[0]?.text ?? '';
}
