import { defineConfig } from 'tsup';

export default defineConfig({
  entry: {
    index: 'src/index.ts',
    cloudflare: 'src/cloudflare.ts',
    deno: 'src/deno.ts',
    opentelemetry: 'src/opentelemetry.ts',
    'service-worker': 'src/service-worker.ts',
    sql: 'src/sql.ts',
    testing: 'src/testing/index.ts',
    unstorage: 'src/unstorage.ts',
  },
  format: ['esm'],
  target: 'es2022',
  platform: 'neutral',
  // What two entries share is one file: a breaker is the same whichever of them it came through.
  splitting: true,
  // The types say `Symbol.asyncDispose`, which users need not have asked for in their own settings.
  dts: { banner: '/// <reference lib="esnext.disposable" />' },
  tsconfig: 'tsconfig.src.json',
});
