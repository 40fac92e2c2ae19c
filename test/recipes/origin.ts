import type { RequestListener } from 'node:http';
import type { Entry } from '../../tools/misbehaving-server/ledger.ts';
import { listen } from '../../tools/misbehaving-server/listener.ts';
import { startServer } from '../../tools/misbehaving-server/server.ts';

/** An origin that a test takes off the network, and that knows what has reached it. */
export interface Origin {
  readonly url: string;
  /** `GET /orders`, in the order of arrival. */
  requests(): Promise<string[]>;
  vanish(): Promise<void>;
  heal(): Promise<void>;
  close(): Promise<void>;
}

export interface Shop extends Origin {
  /** @param times So many requests; without it, until it heals. */
  behave(behaviour: object, times?: number): Promise<void>;
  /** Every write, by first arrival. */
  ledger(): Promise<Entry[]>;
  /** Requests whose responses have not ended. */
  inFlight(): Promise<number>;
  /** Behaves well, and has no orders. */
  reset(): Promise<void>;
}

/** The misbehaving server, with its orders. */
export async function startShop(): Promise<Shop> {
  // A connection serves one request: Chromium repeats by itself what it sent over one that it reused.
  const server = await startServer({ keepAlive: false, controlPort: 0 });
  const control = async (path: string, body?: object): Promise<unknown> => {
    const init = body && { method: 'POST', body: JSON.stringify(body) };
    return (await fetch(`${server.controlUrl}/control/${path}`, init)).json();
  };
  return {
    url: server.url,
    async requests() {
      const { requests } = (await control('requests')) as { requests: { method: string; path: string }[] };
      return requests.map(({ method, path }) => `${method} ${path}`);
    },
    behave: async (behaviour, times) =>
      void (await control('behaviour', { behaviour, ...(times && { times }) })),
    vanish: async () => void (await control('vanish', {})),
    heal: async () => void (await control('heal', {})),
    ledger: async () => (await control('ledger')) as Entry[],
    reset: async () => void (await control('reset', {})),
    inFlight: async () => ((await control('requests')) as { inFlight: number }).inFlight,
    close: () => server.close(),
  };
}

export interface Backend extends Origin {
  /** Answers all that comes with this status, until it heals. */
  fail(status: number): void;
}

/** A foreign server, which can be stopped as well. */
export async function startBackend(answer: RequestListener): Promise<Backend> {
  let failing: number | undefined;
  let seen: string[] = [];
  const listener = await listen(
    (request, response) => {
      seen.push(`${request.method} ${request.url?.replace(/\?.*/, '')}`);
      if (failing === undefined) answer(request, response);
      else response.writeHead(failing).end('{}');
    },
    { host: '127.0.0.1', port: 0, keepAlive: false },
  );
  return {
    url: listener.url,
    requests: async () => seen,
    fail(status) {
      failing = status;
    },
    vanish: () => listener.shut(),
    async heal() {
      failing = undefined;
      seen = [];
      await listener.reopen();
    },
    close: () => listener.shut(),
  };
}
