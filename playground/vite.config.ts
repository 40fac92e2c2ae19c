import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: at('.'),
  cacheDir: at('../node_modules/.vite/playground'),
  // The public name, without a build: what is changed in the library shows when the page is loaded again.
  resolve: { alias: { holdfast: at('../src/index.ts') } },
  // A dependency that Vite comes across only later makes it load the page again.
  optimizeDeps: { include: ['idb-keyval', 'ky'] },
  // And the page is not to be loaded again by anybody but its reader: that would wipe out the timeline.
  server: { hmr: false },
  clearScreen: false,
  logLevel: 'warn',
});
