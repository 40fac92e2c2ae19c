/** Builds the site of the documentation into `docs/.vitepress/dist`: pages, and the reference from the docstrings. */
import { build } from 'vitepress';
import { writeReference } from './docs/reference.ts';
import { writePages } from './docs/site.ts';

writePages();
const { exports, problems } = await writeReference();
console.log(`${exports} exports in the reference`);
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exitCode = 1;
await build('docs');
