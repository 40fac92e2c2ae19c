/** Builds the playground for a static file server; a service worker is its server. `node playground/build.ts [folder]` */
import { writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'vite';
import { bundled } from './worker/bundle.ts';

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

const folder = resolve(process.argv[2] ?? at('dist'));
await build({ configFile: at('vite.config.ts'), build: { outDir: folder } });
await writeFile(join(folder, 'server.js'), await bundled(new URL('static/server.ts', import.meta.url)));
console.log(folder);
