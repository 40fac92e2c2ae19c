import { defineConfig } from 'tsup';

export default defineConfig({
  entry: ['src/index.ts'],
  format: ['esm'],
  target: 'es2022',
  platform: 'neutral',
  // What two entries share is one file: a breaker is the same whichever of them it came through.
  splitting: true,
  dts: true,
  tsconfig: 'tsconfig.src.json',
});
