/** Serves the Worker in the runtime of Cloudflare Workers, on this machine, with the upstream that flaps beside it. */
import { parseArgs } from 'node:util';
import { startServer } from '../../tools/misbehaving-server/server.ts';
import { startWorker } from './run.ts';

const { values } = parseArgs({ options: { port: { type: 'string', default: '8787' } } });

const upstream = await startServer({ port: 0 });
const worker = await startWorker({ upstream: upstream.url, port: Number(values.port) });

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, async () => {
    await Promise.all([worker.stop(), upstream.close()]);
    process.exit();
  });
}

console.log(`${worker.url}orders`);
console.log(`The upstream: ${upstream.url}, broken by POST ${upstream.controlUrl}/control/behaviour`);
