/**
 * Builds the site of the documentation into `docs/.vitepress/dist`: pages, the reference from the docstrings, and the
 * playground.
 */
import { build } from 'vitepress';
import { buildPlayground } from '../playground/static/build.ts';
import { writeReference } from './docs/reference.ts';
import { writePages } from './docs/site.ts';

writePages();
const { exports, problems } = await writeReference();
console.log(`${exports} exports in the reference`);
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;
await build('docs');
// The link "Playground" of the site leads there.
await buildPlayground('docs/.vitepress/dist/playground');
