/** Builds the playground for a static file server. `node playground/build.ts [folder]` */
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildPlayground } from './static/build.ts';

const folder = resolve(process.argv[2] ?? fileURLToPath(new URL('dist', import.meta.url)));
await buildPlayground(folder);
console.log(folder);
