import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { bundled } from '../worker/bundle.ts';

/** Builds the playground for a static file server, into a folder of any site; a service worker is its server. */
export async function buildPlayground(folder: string): Promise<void> {
  const outDir = resolve(folder);
  const configFile = fileURLToPath(new URL('../vite.config.ts', import.meta.url));
  await build({ configFile, build: { outDir } });
  await writeFile(join(outDir, 'server.js'), await bundled(new URL('server.ts', import.meta.url)));
}
