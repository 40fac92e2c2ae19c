import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vite';

const at = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export default defineConfig({
  root: at('.'),
  // The static build lies in any folder of a site.
  base: './',
  cacheDir: at('../node_modules/.vite/playground'),
  // The public names, without a build: a change in the library shows when the page is loaded again.
  resolve: { tsconfigPaths: true },
  // `start.ts` replaces it.
  define: { __SERVER__: 'undefined' },
  // Vite reloads the page when it finds a dependency late.
  optimizeDeps: { include: ['idb-keyval', 'ky'] },
  // Only the reader reloads the page: a reload clears the devtools.
  server: { hmr: false },
  build: { emptyOutDir: true, target: 'es2022' },
  clearScreen: false,
  logLevel: 'warn',
});
