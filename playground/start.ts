/** Serves the playground and the server that it breaks, until a signal ends the process. */
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { createServer } from 'vite';
import { type MisbehavingServer, startServer } from '../tools/misbehaving-server/server.ts';
import { freePort } from './ports.ts';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '5173' },
    'origin-port': { type: 'string', default: '5180' },
    'control-port': { type: 'string', default: '5181' },
    // A server runs on these ports already.
    'no-origin': { type: 'boolean', default: false },
  },
});

const host = '127.0.0.1';
const origin = values['no-origin'] ? undefined : await startOrigin();
const playground = await createServer({
  configFile: fileURLToPath(new URL('vite.config.ts', import.meta.url)),
  define: {
    __SERVER__: JSON.stringify({
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
// Tests read the first line.
console.log(playground.resolvedUrls?.local[0]);
if (origin) console.log(`The server that it breaks: ${origin.url}`);

async function startOrigin(): Promise<MisbehavingServer> {
  const cache = fileURLToPath(new URL('../node_modules/.cache/holdfast-playground/', import.meta.url));
  mkdirSync(cache, { recursive: true });
  return startServer({
    // The same ports each time, if they are free: queued orders wait for this origin, port included.
    port: await freePort(Number(values['origin-port'])),
    controlPort: await freePort(Number(values['control-port'])),
    state: `${cache}origin.jsonl`,
    // Chromium itself repeats a request that fails on a reused connection; the ledger would count it.
    keepAlive: false,
  });
}
