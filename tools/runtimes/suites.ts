/** Tests that touch nothing but the web platform run in every runtime. */
export const PORTABLE =
  'test/{primitives,core,http,policies,stores,client,observability,adapters,contracts,devtools,testing,faults}/**/*.test.ts';

/**
 * Of these, the files without a further dot in their name share a page or a process: to make one for each takes longer than their
 * tests. A file that leaves something behind is named `*.apart.test.ts`: pages die in `crashes`, and never release their locks.
 */
export const TOGETHER =
  'test/{primitives,core,http,policies,stores,client,observability,adapters,contracts,devtools,testing}/**/*([!.]).test.ts';

/** The rest name Node in their own name: they measure memory, read source files, start processes. */
export const NODE_ONLY = '**/*.node.test.ts';

/** So do those that are about what one runtime alone has: its own storage. */
export const DENO_ONLY = '**/*.deno.test.ts';
export const WORKERD_ONLY = '**/*.workerd.test.ts';

/** What there is on servers alone. */
export const NOT_IN_BROWSERS = '**/*.edge.test.ts';

/** These drive whole browsers and servers from Node. */
export const PLAYGROUND = 'test/playground/**/*.e2e.ts';
export const DEVTOOLS = 'test/devtools/**/*.e2e.ts';
export const FAULTS = 'test/faults/{cache,handed-on}/**/*.e2e.ts';

export const OUTBOX = 'test/faults/{outbox,sql,worker}/**/*.e2e.ts';
export const PACKAGE = 'test/package/**/*.test.ts';
export const RECIPES = 'test/recipes/**/*.test.ts';
export const EXAMPLES = 'test/examples/**/*.e2e.ts';

/** The tests of the tools themselves; they say nothing of the library. */
export const TOOLS = 'tools/**/*.test.ts';

/** These hold what they see to a second or so, or have tokens that last so long: nothing else may run beside them. */
export const TIMED =
  'test/{devtools/performance,faults/{auth/tabs,cache/lie-fi,redis/redis,worker/tabs}}.e2e.ts';

/** Second apps of a runtime, and tests of tests. */
export const ONLY_IN_SOAK = [
  'test/examples/{hot-reload,pwa}.e2e.ts',
  'test/faults/outbox/{broken-on-purpose,killed-workbox}.e2e.ts',
];

/** What a test file imports that does more in soak. */
export const EXTENT = 'support/extent.ts';
