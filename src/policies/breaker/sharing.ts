import { openChannel } from '../../core/channel.ts';
import type { Call } from '../../core/contract.ts';

/** A circuit as others are told of it. */
export interface SharedCircuit {
  readonly key: string;
  /** `half-open`: somebody probes, so that nobody else has to. */
  readonly is: 'closed' | 'open' | 'half-open' | 'isolated';
  /** Milliseconds for which it stays open, or for which the probe may take. */
  readonly left: number;
  /** How often it has opened without closing. */
  readonly times: number;
  /** How much later those who hear of it may probe, in ms: by then they know what came of the first probe. Default 0. */
  readonly later?: number;
}

/** Tells other breakers what this one has found out, and the other way round. */
export interface Sharing {
  /** It does nothing but in calls (`during`), and so may be had where I/O belongs to one request. Default false. */
  readonly inCalls?: boolean;
  /**
   * @param heard Called with what others tell.
   * @param known What is to be told to those who come later and ask.
   */
  connect(heard: (circuit: SharedCircuit) => void, known: () => SharedCircuit[]): Connection;
}

export interface Connection {
  tell(circuit: SharedCircuit): void;
  /**
   * Called as a call begins, and when something has come of it: a chance to tell and to listen. It cannot fail.
   *
   * @param failed It has failed: somebody else may know more.
   */
  during?(call: Call, failed?: boolean): void;
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
    const channel = openChannel(name, (word) => {
      if (word === WHAT_IS_OPEN) for (const circuit of known()) channel.post(circuit);
      else if (isCircuit(word)) heard(word);
    });
    channel.post(WHAT_IS_OPEN);
    return { tell: channel.post, close: channel.close };
  },
});

const WHAT_IS_OPEN = 'what is open?';

function isCircuit(word: unknown): word is SharedCircuit {
  const circuit = word as Partial<SharedCircuit> | null;
  return (
    typeof circuit === 'object' &&
    typeof circuit?.key === 'string' &&
    ['closed', 'open', 'half-open', 'isolated'].includes(circuit.is as string) &&
    Number.isFinite(circuit.left) &&
    Number.isFinite(circuit.times)
  );
}
