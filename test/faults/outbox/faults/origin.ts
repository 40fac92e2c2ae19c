import type { Entry } from '../../../../tools/misbehaving-server/ledger.ts';
import { startServer } from '../../../../tools/misbehaving-server/server.ts';

/** The misbehaving server, over loopback. */
export interface Origin {
  readonly url: string;
  /** Sets the response to each write from now on, in the server's own terms. */
  behave(behaviour: object): Promise<void>;
  /** It behaves well again. */
  heal(): Promise<void>;
  /** Every received write, by first arrival. */
  ledger(): Promise<Entry[]>;
  /** The items of the writes that took effect, in the order in which they did. */
  applied(): Promise<string[]>;
  close(): Promise<void>;
}

export async function startOrigin(): Promise<Origin> {
  // A connection serves one request: Chromium repeats a request on a reused connection by itself,
  // and that would look like us.
  const server = await startServer({ keepAlive: false });
  const control = async (path: string, body?: object): Promise<unknown> => {
    const init = body && { method: 'POST', body: JSON.stringify(body) };
    return (await fetch(`${server.controlUrl}/control/${path}`, init)).json();
  };
  const ledger = async () => (await control('ledger')) as Entry[];
  return {
    url: server.url,
    behave: async (behaviour) => void (await control('behaviour', { match: { method: 'POST' }, behaviour })),
    heal: async () => void (await control('heal', {})),
    ledger,
    async applied() {
      const inOrder = (await ledger()).sort((a, b) => (a.nth ?? 0) - (b.nth ?? 0));
      return inOrder.flatMap((write) => Array<string>(write.applied).fill(itemOf(write)));
    },
    close: () => server.close(),
  };
}

/** The item of a write of the page; the ledger has only its first 2 kB. */
const itemOf = ({ body }: Entry): string => /"item":"([^"]*)"/.exec(body ?? '')?.[1] ?? String(body);
