import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { brotliCompressSync } from 'node:zlib';
import nodeResolve from '@rollup/plugin-node-resolve';
import { build as esbuild } from 'esbuild';
import { rollup } from 'rollup';
import { minify } from 'terser';
import { build as vite } from 'vite';
import webpack from 'webpack';

/** Bundles a module of a project with its bundler's usual settings for production. @returns the code. */
export type Bundler = (folder: string, file: string) => Promise<string>;

export const bundlers: Readonly<Record<string, Bundler>> = {
  async esbuild(folder, file) {
    const { outputFiles } = await esbuild({
      entryPoints: [join(folder, file)],
      bundle: true,
      minify: true,
      format: 'esm',
      target: 'es2022',
      write: false,
    });
    return outputFiles.map(({ text }) => text).join('');
  },

  async 'Rollup and terser'(folder, file) {
    const bundle = await rollup({ input: join(folder, file), plugins: [nodeResolve({ browser: true })] });
    const { output } = await bundle.generate({ format: 'es' });
    const { code = '' } = await minify(output[0].code, { module: true });
    return code;
  },

  async Vite(folder, file) {
    const built = await vite({
      root: folder,
      configFile: false,
      logLevel: 'error',
      build: {
        write: false,
        target: 'es2022',
        minify: true,
        // A library's own form keeps its white space.
        rollupOptions: { input: join(folder, file), preserveEntrySignatures: 'strict' },
      },
    });
    const [first] = [built].flat() as { output: { code: string }[] }[];
    return first?.output[0]?.code ?? '';
  },

  async webpack(folder, file) {
    const path = join(folder, 'webpack-out');
    const compiler = webpack({
      context: folder,
      entry: join(folder, file),
      mode: 'production',
      experiments: { outputModule: true },
      output: { path, filename: 'out.js', library: { type: 'module' } },
    });
    const stats = await promisify(compiler.run.bind(compiler))();
    if (!stats || stats.hasErrors()) throw new Error(stats?.toString());
    return readFile(join(path, 'out.js'), 'utf8');
  },
};

/** kB, compressed, that a bundler makes of a module. */
export async function sizeWith(bundler: Bundler, folder: string, contents: string): Promise<number> {
  const file = 'entry.mjs';
  await writeFile(join(folder, file), contents);
  return brotliCompressSync(await bundler(folder, file)).byteLength / 1000;
}
