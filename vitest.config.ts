import { cloudflareTest } from '@cloudflare/vitest-plugin';
import { defineConfig, type TestProjectInlineConfiguration } from 'vitest/config';
import type { BrowserProviderOption } from 'vitest/node';
import {
  DENO_ONLY,
  DEVTOOLS,
  EXAMPLES,
  FAULTS,
  NODE_ONLY,
  NOT_IN_BROWSERS,
  OUTBOX,
  PACKAGE,
  PLAYGROUND,
  PORTABLE,
  RECIPES,
  TIMED,
  TOGETHER,
  TOOLS,
  WORKERD_ONLY,
} from './tools/runtimes/suites.ts';
import { chromium, firefox, webkit } from './tools/runtimes/vitest/providers.ts';
import { CRASHED } from './tools/runtimes/webkit.ts';

const portable = {
  // Most of them run on a virtual clock: only a call that hangs takes so long, also on a slow machine.
  testTimeout: 60_000,
  include: [PORTABLE],
  exclude: [NODE_ONLY, DENO_ONLY, WORKERD_ONLY],
  globalSetup: ['tools/runtimes/vitest/start-origins.ts'],
  setupFiles: ['tools/runtimes/vitest/announce-origins.ts'],
};

/** These start browsers and servers of their own and look at the clock: one file after the other, and with patience. */
const endToEnd = {
  testTimeout: 240_000,
  hookTimeout: 240_000,
  expect: { poll: { timeout: 30_000 } },
  fileParallelism: false,
  // Seen once: WebKitGTK ended by itself. That says nothing of the library; no other failure is repeated.
  retry: { count: 1, condition: new RegExp(CRASHED) },
};

export default defineConfig({
  test: {
    projects: [
      ...apartAndTogether((name) => ({
        test: {
          ...portable,
          name: `node${name}`,
          include: [PORTABLE, `test/${NODE_ONLY}`],
          exclude: [PACKAGE, DENO_ONLY, WORKERD_ONLY],
          // For what can be held against memory only after a collection.
          execArgv: ['--expose-gc'],
          setupFiles: ['fake-indexeddb/auto', ...portable.setupFiles],
        },
      })),
      ...apartAndTogether((name) => inBrowser('chromium', name, chromium())),
      ...apartAndTogether((name) => inBrowser('firefox', name, firefox())),
      ...apartAndTogether((name) => inBrowser('webkit', name, webkit())),
      ...apartAndTogether((name) => ({
        plugins: [
          cloudflareTest({
            main: './tools/runtimes/workerd/main.ts',
            miniflare: {
              compatibilityDate: '2026-07-01',
              compatibilityFlags: ['nodejs_compat'],
              cf: false,
              kvNamespaces: ['KV'],
              durableObjects: {
                BOX: { className: 'Box', useSQLite: true },
                BOX_WITHOUT_SQL: 'BoxWithoutSql',
                ORDERS: { className: 'Orders', useSQLite: true },
                COORDINATOR: 'Coordinator',
              },
            },
          }),
        ],
        test: { ...portable, name: `workerd${name}`, exclude: [NODE_ONLY, DENO_ONLY] },
      })),
      { test: { ...portable, name: 'tools', include: [TOOLS] } },
      { test: { ...endToEnd, name: 'playground', include: [PLAYGROUND] } },
      { test: { ...endToEnd, name: 'devtools', include: [DEVTOOLS], exclude: [TIMED] } },
      { test: { ...endToEnd, name: 'faults', include: [FAULTS], exclude: [TIMED] } },
      { test: { ...endToEnd, name: 'outbox', include: [OUTBOX], exclude: [TIMED] } },
      { test: { ...endToEnd, name: 'timed', include: [TIMED] } },
      { test: { ...endToEnd, name: 'examples', include: [EXAMPLES] } },
      { test: { ...endToEnd, name: 'package', include: [PACKAGE] } },
      {
        // They use the library by its public name, which `tsconfig.json` leads to the source.
        resolve: { tsconfigPaths: true },
        test: {
          ...endToEnd,
          name: 'recipes',
          include: [RECIPES],
          setupFiles: ['fake-indexeddb/auto'],
          // None of them looks at the clock, and most of their time is waiting.
          fileParallelism: true,
          maxWorkers: 2,
        },
      },
    ],
  },
});

/** A runtime as two projects: its files with a page or process for each, and those that share one. */
function apartAndTogether(
  project: (name: string) => TestProjectInlineConfiguration,
): TestProjectInlineConfiguration[] {
  const [apart, together] = [project(''), project(' together')];
  return [
    { ...apart, test: { ...apart.test, exclude: [...(apart.test?.exclude ?? []), TOGETHER] } },
    { ...together, test: { ...together.test, include: [TOGETHER], isolate: false } },
  ];
}

function inBrowser(
  browser: 'chromium' | 'firefox' | 'webkit',
  name: string,
  provider: BrowserProviderOption,
): TestProjectInlineConfiguration {
  return {
    // Runs side by side must not build the same cache at the same time.
    cacheDir: `node_modules/.vite/${browser}${name}`,
    // A dependency that Vite comes across in the middle of a run makes it load the page again.
    optimizeDeps: { include: ['fast-check', 'idb-keyval', 'ky', 'unstorage', 'unstorage/drivers/memory'] },
    test: {
      ...portable,
      name: `${browser}${name}`,
      exclude: [...portable.exclude, NOT_IN_BROWSERS],
      fileParallelism: false,
      browser: {
        enabled: true,
        headless: true,
        ui: false,
        screenshotFailures: false,
        provider,
        instances: [{ browser, name: `${browser}${name}` }],
      },
    },
  };
}
