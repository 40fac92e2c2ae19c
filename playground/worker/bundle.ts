import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** As an application is built: the library by its name, which `tsconfig.json` leads to the source. */
export async function bundled(entry: URL, { minify = false } = {}): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(entry)],
    bundle: true,
    minify,
    format: 'esm',
    target: 'es2022',
    conditions: ['workerd', 'worker', 'browser'],
    external: ['cloudflare:workers'],
    tsconfig: fileURLToPath(new URL('../../tsconfig.json', import.meta.url)),
    write: false,
    logLevel: 'error',
  });
  return outputFiles[0]?.text ?? '';
}
