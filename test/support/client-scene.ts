import { onTestFinished } from 'vitest';
import { createClient } from '../../src/client/ky/client.ts';
import type { CreateClientOptions } from '../../src/client/ky/options.ts';
import { scriptedOrigin, testHost, virtualClock } from '../../src/testing.ts';
import { quiet } from './platform.ts';
import { ORIGIN } from './scenario.ts';

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
  onTestFinished(() => api.close());
  return { api, origin, host, clock: host.clock };
}
