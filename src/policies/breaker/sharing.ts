/** A circuit as others are told of it. */
export interface SharedCircuit {
  readonly key: string;
  readonly is: 'closed' | 'open' | 'isolated';
  /** Milliseconds for which it stays open. */
  readonly left: number;
  /** How often it has opened without closing. */
  readonly times: number;
}

/** Tells other breakers what this one has found out, and the other way round. */
export interface Sharing {
  /**
   * @param heard Called with what others tell.
   * @param known What is to be told to those who come later and ask.
   */
  connect(heard: (circuit: SharedCircuit) => void, known: () => SharedCircuit[]): Connection;
}

export interface Connection {
  tell(circuit: SharedCircuit): void;
  close(): void;
}

/**
 * One state for all tabs and workers of a browser, so that the next tab does not have to fail five times too. Where there
 * is no `BroadcastChannel`, everybody is alone.
 *
 * @param name Of the channel: breakers of one name share. Default `'holdfast-circuits'`.
 */
export const betweenTabs = (name = 'holdfast-circuits'): Sharing => ({
  connect(heard, known) {
    if (typeof globalThis.BroadcastChannel !== 'function') return { tell() {}, close() {} };
    const channel = new BroadcastChannel(name);
    // In Node an open channel would keep the process alive.
    (channel as { unref?(): void }).unref?.();
    channel.onmessage = ({ data }: MessageEvent<SharedCircuit | 'what is open?'>) => {
      if (data === 'what is open?') for (const circuit of known()) channel.postMessage(circuit);
      else if (isCircuit(data)) heard(data);
    };
    channel.postMessage('what is open?');
    return { tell: (circuit) => channel.postMessage(circuit), close: () => channel.close() };
  },
});

/** Another version of this library, or somebody else, may use the channel. */
const isCircuit = (data: Partial<SharedCircuit> | null): data is SharedCircuit =>
  typeof data === 'object' &&
  typeof data?.key === 'string' &&
  ['closed', 'open', 'isolated'].includes(data.is as string) &&
  Number.isFinite(data.left) &&
  Number.isFinite(data.times);
