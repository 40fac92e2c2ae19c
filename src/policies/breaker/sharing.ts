import type { Call, PipelineContext } from '../../core/contract.ts';
import { isText, openChannel } from '../../primitives/broadcast.ts';

/** The state of a circuit as tabs and isolates share it: a hint that expires. */
export interface SharedState {
  readonly key: string;
  /** The state of a circuit; `half-open`: another tab or isolate probes. Or `held`: the origin asks for no request (`Retry-After`). */
  readonly is: 'closed' | 'open' | 'half-open' | 'held';
  /** Milliseconds for which it counts. */
  readonly left: number;
  /** How often the circuit has opened without closing. */
  readonly times: number;
  /** How much later the receivers may probe, in ms: they know the result of the first probe by then. Default 0. */
  readonly later?: number;
}

/** Exchanges the state of circuits and rate limits with other tabs or isolates. */
export interface Sharing {
  /** Works only in calls (`during`), and so is possible where I/O belongs to one request. Default false. */
  readonly inCalls?: boolean;
  /**
   * @param onState Called with the states of others.
   * @param known Returns the state for a later joiner.
   */
  connect(onState: (state: SharedState) => void, known: () => SharedState[]): Connection;
}

export interface Connection {
  broadcast(state: SharedState): void;
  /** Called when a call begins and when it has an outcome: a chance to send and to receive. Must not throw. */
  during?(call: Call): void;
  close(): void;
}

/** A connection that opens in the first call that may open it, and closes with the pipeline of that call. */
export function connectLater(share: Sharing, ...[onState, known]: Parameters<Sharing['connect']>) {
  let connection: Connection | undefined;
  return {
    /** A call begins. */
    enter(pipeline: PipelineContext, call: Call): void {
      if (!connection && (share.inCalls || (call.host.canShareIO && !pipeline.signal.aborted))) {
        connection = share.connect(onState, known);
        pipeline.onClose(() => {
          connection?.close();
          connection = undefined;
        });
      }
      connection?.during?.(call);
    },
    during: (call: Call): void => connection?.during?.(call),
    broadcast: (state: SharedState): void => connection?.broadcast(state),
  };
}

/** The longest life of a hint, in ms. */
const MAX_LEFT = 600_000;

/** A longer key is not shared. */
export const MAX_KEY = 1_000;

/** @returns the message of another tab or isolate as a hint; `undefined` if it is none. */
export function readShared(message: unknown): SharedState | undefined {
  const { key, is, left, times } = (message ?? {}) as Partial<SharedState>;
  if (!isText(key) || key === '' || key.length > MAX_KEY) return;
  if (!is || !['closed', 'open', 'half-open', 'held'].includes(is) || !isAmount(left) || !isAmount(times))
    return;
  return { key, is, left: Math.min(left, MAX_LEFT), times: Math.min(times, 100) };
}

export const isAmount = (value: unknown): value is number =>
  typeof value === 'number' && value >= 0 && value < Infinity;

/**
 * One state for all tabs and workers of a browser, so that the next tab does not have to fail five times too. Without
 * `BroadcastChannel`, each tab is alone.
 *
 * @param name Of the channel: breakers of one name share. Default `'holdfast-circuits'`.
 *
 * @example
 * const fetch = createFetch({ breaker: breaker({ share: betweenTabs() }) });
 */
export const betweenTabs = (name = 'holdfast-circuits'): Sharing => ({
  connect(onState, known) {
    const read = (posted: unknown) => (posted === STATE_REQUEST ? posted : readShared(posted));
    const channel = openChannel(name, read, (message) => {
      if (message === STATE_REQUEST) known().forEach(channel.post);
      else onState(message);
    });
    channel.post(STATE_REQUEST);
    return { broadcast: channel.post, close: channel.close };
  },
});

const STATE_REQUEST = 'what is open?';
