import type { Entry } from '../../../tools/misbehaving-server/ledger.ts';
import { startServer } from '../../../tools/misbehaving-server/server.ts';

export interface Origin {
  readonly url: string;
  behave(behaviour: object, times?: number): Promise<void>;
  /** Refuses every connection. */
  vanish(): Promise<void>;
  heal(): Promise<void>;
  /** Every write, by first arrival. */
  ledger(): Promise<Entry[]>;
  /** When each write arrived, on this machine's clock, by its path. */
  arrivals(): Promise<{ readonly at: number; readonly ended: string | null }[]>;
  reset(): Promise<void>;
  close(): Promise<void>;
}

export async function startOrigin(): Promise<Origin> {
  // A connection serves one request: Chromium repeats a request on a reused connection by itself,
  // and that would look like us.
  const server = await startServer({ keepAlive: false, controlPort: 0 });
  const control = async (path: string, body?: object): Promise<unknown> => {
    const init = body && { method: 'POST', body: JSON.stringify(body) };
    return (await fetch(`${server.controlUrl}/control/${path}`, init)).json();
  };
  return {
    url: server.url,
    behave: async (behaviour, times) =>
      void (await control('behaviour', { behaviour, ...(times && { times }) })),
    vanish: async () => void (await control('vanish', {})),
    heal: async () => void (await control('heal', {})),
    ledger: async () => (await control('ledger')) as Entry[],
    async arrivals() {
      const log = (await control('requests')) as {
        requests: { method: string; at: number; ended: string | null }[];
      };
      return log.requests.filter(({ method }) => method === 'POST');
    },
    reset: async () => void (await control('reset', {})),
    close: () => server.close(),
  };
}
