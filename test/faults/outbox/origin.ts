import type { Entry } from '../../../tools/misbehaving-server/ledger.ts';
import { startServer } from '../../../tools/misbehaving-server/server.ts';

/** The origin to which the page writes. */
export interface Origin {
  readonly url: string;
  /** From now on it accepts and responds to all requests. */
  heal(): Promise<void>;
  /** Every received write, by first arrival. */
  ledger(): Promise<Entry[]>;
  close(): Promise<void>;
}

/** The probability and the kind of faults; some let the write take effect and lose the response. */
const FAILURES = {
  failRate: 0.35,
  failModes: [503, 429, 'reset', 'unknown', 'unknown', 'resetBody', 503, 'hang'],
};

/** Starts an origin that fails at random: alike for the same seed and the same order of arrival. */
export async function startOrigin(seed: number): Promise<Origin> {
  // A connection serves one request: Chromium repeats a request on a reused connection by itself,
  // and that would look like us.
  const server = await startServer({ keepAlive: false });
  const control = async (path: string, body?: object): Promise<unknown> => {
    const init = body && { method: 'POST', body: JSON.stringify(body) };
    return (await fetch(`${server.controlUrl}/control/${path}`, init)).json();
  };
  await control('behaviour', { match: { method: 'POST' }, behaviour: { ...FAILURES, seed } });
  return {
    url: server.url,
    heal: async () => void (await control('heal', {})),
    ledger: async () => (await control('ledger')) as Entry[],
    close: () => server.close(),
  };
}
