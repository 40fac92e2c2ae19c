import { startServer } from '../misbehaving-server/server.ts';

export interface Origins {
  /** What `test/support/origin-url.ts` looks for. */
  readonly env: Readonly<Record<string, string>>;
  close(): Promise<void>;
}

/** Starts the servers that a run of the tests talks to. Each run has its own, so that two runs do not meet. */
export async function startOrigins(): Promise<Origins> {
  const [origin, other, brief, lasting] = await Promise.all([
    startServer(),
    startServer(),
    startServer({ keepAlive: false, controlPort: 0 }),
    startServer(),
  ]);
  return {
    env: {
      HOLDFAST_TEST_ORIGIN: origin.url,
      HOLDFAST_TEST_OTHER_ORIGIN: other.url,
      HOLDFAST_TEST_BRIEF_ORIGIN: brief.url,
      HOLDFAST_TEST_BRIEF_CONTROL: brief.controlUrl,
      HOLDFAST_TEST_LASTING_ORIGIN: lasting.url,
    },
    async close() {
      await Promise.all([origin.close(), other.close(), brief.close(), lasting.close()]);
    },
  };
}
