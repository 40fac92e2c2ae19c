import { isText, openChannel } from '../../core/channel.ts';
import type { Call, PipelineContext } from '../../core/contract.ts';

/** The state of a circuit that is shared with others: a hint, which counts for a while. */
export interface SharedState {
  readonly key: string;
  /** The state of a circuit; `half-open`: another one probes. Or `held`: the origin asks for no request (`Retry-After`). */
  readonly is: 'closed' | 'open' | 'half-open' | 'held';
  /** Milliseconds for which it counts. */
  readonly left: number;
  /** How often the circuit has opened without closing. */
  readonly times: number;
  /** How much later the receivers may probe, in ms: by then the result of the first probe is known. Default 0. */
  readonly later?: number;
}

/** Tells other breakers and rate limits what this one has found out, and the other way round. */
export interface Sharing {
  /** It does nothing but in calls (`during`), and so may be had where I/O belongs to one request. Default false. */
  readonly inCalls?: boolean;
  /**
   * @param heard Called with the states of others.
   * @param known Returns the state for a later joiner.
   */
  connect(heard: (state: SharedState) => void, known: () => SharedState[]): Connection;
}

export interface Connection {
  tell(state: SharedState): void;
  /** Called as a call begins, and when something has come of it: a chance to tell and to listen. It cannot fail. */
  during?(call: Call): void;
  close(): void;
}

/** A connection that is made in the first call that may make it, and closed with the pipeline of that call. */
export function connectLater(share: Sharing, ...[heard, known]: Parameters<Sharing['connect']>) {
  let connection: Connection | undefined;
  return {
    /** A call begins. */
    enter(pipeline: PipelineContext, call: Call): void {
      if (!connection && (share.inCalls || (call.host.canShareIO && !pipeline.signal.aborted))) {
        connection = share.connect(heard, known);
        pipeline.onClose(() => {
          connection?.close();
          connection = undefined;
        });
      }
      connection?.during?.(call);
    },
    during: (call: Call): void => connection?.during?.(call),
    tell: (state: SharedState): void => connection?.tell(state),
  };
}

/** No hint counts for longer, in ms. */
const MAX_LEFT = 600_000;

/** A longer key is not shared. */
export const MAX_KEY = 1_000;

/** @returns a message of another tab or isolate as the hint that it is; `undefined` if it is none. */
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
 * One state for all tabs and workers of a browser, so that the next tab does not have to fail five times too. Where there
 * is no `BroadcastChannel`, each tab is alone.
 *
 * @param name Of the channel: breakers of one name share. Default `'holdfast-circuits'`.
 */
export const betweenTabs = (name = 'holdfast-circuits'): Sharing => ({
  connect(heard, known) {
    const read = (posted: unknown) => (posted === WHAT_IS_OPEN ? posted : readShared(posted));
    const channel = openChannel(name, read, (message) => {
      if (message === WHAT_IS_OPEN) known().forEach(channel.post);
      else heard(message);
    });
    channel.post(WHAT_IS_OPEN);
    return { tell: channel.post, close: channel.close };
  },
});

const WHAT_IS_OPEN = 'what is open?';
