import { parseArgs } from 'node:util';
import { wholeNumber } from './behaviour.ts';
import { startServer } from './server.ts';

const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '0' },
    'control-port': { type: 'string' },
    host: { type: 'string', default: '127.0.0.1' },
    'no-keep-alive': { type: 'boolean', default: false },
    state: { type: 'string' },
    log: { type: 'boolean', default: false },
  },
});

const { host, state, log } = values;
const controlPort = values['control-port'];
const server = await startServer({
  port: wholeNumber(values.port, '--port'),
  host,
  keepAlive: !values['no-keep-alive'],
  log,
  ...(controlPort !== undefined && { controlPort: wholeNumber(controlPort, '--control-port') }),
  ...(state !== undefined && { state }),
});

// The parent process reads the first line, and the second if it asked for a control port.
console.log(server.url);
if (controlPort !== undefined) console.log(server.controlUrl);

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, async () => {
    await server.close();
    process.exit(0);
  });
}
