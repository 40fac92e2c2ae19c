/** Prints the resident set, in bytes, after so many calls of a stub, or of a fetch of ours around it. */
import { createFetch } from '../../src/index.ts';

const body = JSON.stringify({ id: 1, items: [1, 2, 3] });
globalThis.fetch = async () => new Response(body);
const [, , what, calls] = process.argv;
const call = what === 'stub' ? globalThis.fetch : createFetch();

for (let count = 0; count < Number(calls); count++) {
  const response = await call('https://api.example.com/things/1');
  // Some are read, and some are not.
  if (count % 4 > 0) await response.json();
  if (count % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
}
process.stdout.write(String(process.memoryUsage().rss), () => process.exit());
