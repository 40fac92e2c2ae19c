/** What tabs and workers of an origin tell each other. */
export interface Channel {
  /** It cannot fail: who is not told finds it out in another way, or not at all. */
  post(message: unknown): void;
  close(): void;
}

const ALONE: Channel = { post() {}, close() {} };

/**
 * A `BroadcastChannel`; where there is none, everybody is alone.
 *
 * @param heard Told what others post. Another version of this library, or somebody else, may use the name.
 */
export function openChannel(name: string, heard: (message: unknown) => void): Channel {
  if (typeof globalThis.BroadcastChannel !== 'function') return ALONE;
  const channel = new BroadcastChannel(name);
  // In Node an open channel would keep the process alive.
  (channel as { unref?(): void }).unref?.();
  channel.onmessage = ({ data }) => heard(data);
  return {
    post(message) {
      try {
        channel.postMessage(message);
      } catch {
        // Closed, or not to be copied; and in Deno, once another channel has been closed.
      }
    },
    close: () => channel.close(),
  };
}
