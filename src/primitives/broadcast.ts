import { notify } from './emitter.ts';

/** Messages between the tabs and workers of an origin. */
export interface Channel {
  /** Never fails: a message is a hint, and may be lost. */
  post(message: unknown): void;
  close(): void;
}

const ALONE: Channel = { post() {}, close() {} };

/** The longest text that is accepted from another tab, in characters. */
const MAX_TEXT = 100_000;

/** Whether a field of a message is text that keys can be made of: a lone surrogate cannot be encoded. */
export const isText = (value: unknown): value is string =>
  typeof value === 'string' && value.length <= MAX_TEXT && !/\p{Surrogate}/u.test(value);

/** The same for a field that may be absent. */
export const isTextOrAbsent = (value: unknown): value is string | undefined =>
  value === undefined || isText(value);

/**
 * A `BroadcastChannel`; without one, or if the page may not have one, each tab is alone.
 *
 * @param read Validates a message of another tab: another version of this library, or any script of the origin, may
 *   use the name. `undefined`: it is no message.
 * @param onMessage Called with messages. Its errors are ignored.
 */
export function openChannel<T>(
  name: string,
  read: (posted: unknown) => T | undefined,
  onMessage: (message: T) => unknown,
): Channel {
  const channel = opened(name);
  if (!channel) return ALONE;
  // In Node an open channel would keep the process alive.
  (channel as { unref?(): void }).unref?.();
  channel.onmessage = ({ data }) =>
    notify((posted) => {
      const message = read(posted);
      return message === undefined ? undefined : onMessage(message);
    }, data);
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

function opened(name: string): BroadcastChannel | undefined {
  try {
    return new BroadcastChannel(name);
  } catch {
    // The runtime has none, or the page has an opaque origin.
    return undefined;
  }
}
