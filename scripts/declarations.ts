/**
 * Makes the declarations in `dist` what users' compilers can read: imports of files that are published, and the types that
 * `Symbol.asyncDispose` needs, for which users need not have asked in their own settings.
 */
import { glob, readFile, writeFile } from 'node:fs/promises';

const DISPOSABLE = '/// <reference lib="esnext.disposable" />\n';

for await (const file of glob('dist/**/*.d.ts')) {
  const text = (await readFile(file, 'utf8')).replace(/(['"]\.{1,2}\/[^'"]+)\.ts(?=['"])/g, '$1.js');
  await writeFile(file, /asyncDispose|Disposable/.test(text) ? DISPOSABLE + text : text);
}
