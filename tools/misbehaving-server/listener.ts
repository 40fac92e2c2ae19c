import { createServer, type RequestListener } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface Listener {
  readonly url: string;
  readonly port: number;
  readonly open: boolean;
  /** Stops listening and breaks every connection: from outside, the machine is gone. */
  shut(): Promise<void>;
  /** Listens again, on the same port. */
  reopen(): Promise<void>;
}

interface Place {
  host: string;
  port: number;
  keepAlive: boolean;
}

export async function listen(answer: RequestListener, place: Place): Promise<Listener> {
  const { host, keepAlive } = place;
  const server = createServer((request, response) => {
    if (!keepAlive) response.setHeader('Connection', 'close');
    answer(request, response);
  });
  // Longer than any test: a connection that idles out just as it is used again would be a fault that no test asked for.
  server.keepAliveTimeout = 120_000;
  server.requestTimeout = 0;

  const bind = (port: number) =>
    new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen(port, host, () => {
        server.off('error', reject);
        resolve();
      });
    });

  await bind(place.port);
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${port}`,
    port,
    get open() {
      return server.listening;
    },
    async shut() {
      if (!server.listening) return;
      await new Promise<void>((closed) => {
        server.close(() => closed());
        server.closeAllConnections();
      });
    },
    async reopen() {
      if (!server.listening) await bind(port);
    },
  };
}
