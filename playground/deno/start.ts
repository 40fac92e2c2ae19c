/** Serves the API in Deno, with the upstream that flaps beside it, until a signal ends it. */
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { startServer } from '../../tools/misbehaving-server/server.ts';
import { freePort } from '../ports.ts';
import { startDenoServer } from './run.ts';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '8788' },
    'upstream-port': { type: 'string', default: '5190' },
  },
});

const cache = fileURLToPath(new URL('../../node_modules/.cache/holdfast-playground/', import.meta.url));
mkdirSync(cache, { recursive: true });
const upstream = await startServer({
  // The same each time where it can be had: what waits, waits for this origin.
  port: await freePort(Number(values['upstream-port'])),
  controlPort: 0,
  state: `${cache}deno-upstream.jsonl`,
});
const server = await startDenoServer({
  upstream: upstream.url,
  port: await freePort(Number(values.port)),
  database: `${cache}deno.db`,
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, async () => {
    await Promise.all([server.stop(), upstream.close()]);
    process.exit();
  });
}

// Whoever started this process reads the first line.
console.log(server.url);
console.log(`The upstream: ${upstream.url}, broken by POST ${upstream.controlUrl}/control/behaviour`);
