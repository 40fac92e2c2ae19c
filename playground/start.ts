/** Serves the playground, with the origin that it breaks beside it, until it is told to end. */
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createServer } from 'vite';
import { type MisbehavingServer, startServer } from '../test/support/misbehaving-server/server.ts';
import { freePort } from './ports.ts';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '5173' },
    'origin-port': { type: 'string', default: '5180' },
    'control-port': { type: 'string', default: '5181' },
    // Somebody else runs it, on the ports that are named.
    'no-origin': { type: 'boolean', default: false },
  },
});

const host = '127.0.0.1';
const origin = values['no-origin'] ? undefined : await startOrigin();
const playground = await createServer({
  configFile: fileURLToPath(new URL('vite.config.ts', import.meta.url)),
  define: {
    __ORIGIN__: JSON.stringify({
      url: origin?.url ?? `http://${host}:${values['origin-port']}`,
      controlUrl: origin?.controlUrl ?? `http://${host}:${values['control-port']}`,
    }),
  },
  server: { host, port: await freePort(Number(values.port)) },
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, async () => {
    // Vite ends the process as well, with this code.
    process.exitCode = 0;
    await Promise.all([playground.close(), origin?.close()]);
    process.exit();
  });
}

await playground.listen();
// Whoever started this process reads the first line.
console.log(playground.resolvedUrls?.local[0]);
if (origin) console.log(`The origin that it breaks: ${origin.url}`);

async function startOrigin(): Promise<MisbehavingServer> {
  const cache = fileURLToPath(new URL('../node_modules/.cache/holdfast-playground/', import.meta.url));
  mkdirSync(cache, { recursive: true });
  return startServer({
    // The same each time where they can be had: what waits in a browser's outbox waits for an origin, port included.
    port: await freePort(Number(values['origin-port'])),
    controlPort: await freePort(Number(values['control-port'])),
    state: `${cache}origin.jsonl`,
    // Chromium repeats by itself what was sent over a connection that it had used before; the page would not know.
    keepAlive: false,
  });
}
