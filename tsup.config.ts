import { globSync } from 'node:fs';
import { defineConfig } from 'tsup';

/**
 * Each module stays a file of its own, so that a bundler leaves out by file what an application does not import: in one file of
 * many modules a single call at the top level keeps all that it reaches.
 */
const oneFilePerModule = {
  name: 'one-file-per-module',
  setup(build: Parameters<NonNullable<import('tsup').Options['esbuildPlugins']>[number]['setup']>[0]): void {
    build.onResolve({ filter: /^\.{1,2}\// }, ({ path, kind }) =>
      kind === 'entry-point' ? undefined : { path: path.replace(/\.ts$/, '.js'), external: true },
    );
  },
};

export default defineConfig({
  entry: globSync('src/**/*.ts').sort(),
  format: ['esm'],
  target: 'es2022',
  platform: 'neutral',
  splitting: false,
  silent: true,
  esbuildPlugins: [oneFilePerModule],
  tsconfig: 'tsconfig.src.json',
});
