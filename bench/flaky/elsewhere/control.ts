import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { json, text } from 'node:stream/consumers';
import { startOrigins, type World } from '../origin/origins.ts';
import type { Weather } from '../origin/weather.ts';
import type { Tally } from '../run-world.ts';
import type { One } from './one.ts';

/** What another runtime loads its script from, opens its worlds at and reports to. */
export interface Control {
  readonly url: string;
  /** Gives the page this to do. */
  assign(ones: readonly One[]): void;
  readonly result: Promise<Tally[]>;
  close(): Promise<void>;
}

/** @param script The page's. */
export async function startControl(script = ''): Promise<Control> {
  const origins = startOrigins();
  const worlds = new Map<string, World>();
  const { promise: result, resolve } = Promise.withResolvers<Tally[]>();
  let work: readonly One[] = [];

  const answers: Record<string, (body: unknown) => Promise<unknown>> = {
    '/work': async () => work,
    async '/open'(body) {
      const { weather, seed } = body as { weather: Weather; seed: number };
      const world = await origins.open(weather, seed);
      worlds.set(world.url, world);
      return { url: world.url };
    },
    '/start': async (body) => (await worldOf(body)?.start()) ?? {},
    '/close': async (body) => (await worldOf(body)?.close()) ?? {},
    async '/result'(body) {
      resolve(body as Tally[]);
      return {};
    },
  };
  const worldOf = (body: unknown): World | undefined => worlds.get((body as { url: string }).url);

  const server = createServer(async (request, response) => {
    const answer = answers[request.url ?? ''];
    if (answer) {
      const body = request.method === 'POST' ? await json(request) : await text(request);
      response.setHeader('content-type', 'application/json').end(JSON.stringify(await answer(body)));
    } else if (request.url === '/script.js')
      response.setHeader('content-type', 'text/javascript').end(script);
    else
      response
        .setHeader('content-type', 'text/html')
        .end('<!doctype html><title>flaky</title><script type="module" src="/script.js"></script>');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    assign(ones) {
      work = ones;
    },
    result,
    async close() {
      server.close();
      server.closeAllConnections();
      await origins.close();
    },
  };
}
