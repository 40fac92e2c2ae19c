import { startServer } from '../support/misbehaving-server/server.ts';

export interface Origins {
  /** What `test/support/origin-url.ts` looks for. */
  readonly env: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/** Starts the two servers that a run of the tests talks to. Each run has its own, so that two runs do not meet. */
export async function startOrigins(): Promise<Origins> {
  const [origin, other] = await Promise.all([startServer(), startServer()]);
  return {
    env: { HOLDFAST_TEST_ORIGIN: origin.url, HOLDFAST_TEST_OTHER_ORIGIN: other.url },
    async close() {
      await Promise.all([origin.close(), other.close()]);
    },
  };
}
