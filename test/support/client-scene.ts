import { afterEach } from 'vitest';
import { type Client, createClient } from '../../src/client/ky/client.ts';
import type { CreateClientOptions } from '../../src/client/ky/options.ts';
import { scriptedOrigin, testHost, virtualClock } from '../../src/testing.ts';
import { quiet } from './platform.ts';
import { ORIGIN } from './scenario.ts';

const clients: Client[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
});

/** A client of a scripted origin, in virtual time, until the end of the test. */
export function clientScene(options: Partial<CreateClientOptions> = {}) {
  const host = testHost({ clock: virtualClock({ quiet }) });
  const origin = scriptedOrigin(host.clock);
  const api = createClient({
    baseUrl: `${ORIGIN}/v1/`,
    host,
    fetch: origin.fetch,
    ...options,
  } as CreateClientOptions);
  clients.push(api);
  return { api, origin, host, clock: host.clock };
}
