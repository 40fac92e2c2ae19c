import { isAmount, MAX_KEY, readShared, type SharedState } from '../../policies/breaker/sharing.ts';

/** A message between an isolate and the coordinator. Times are durations in ms, as clocks differ. */
export interface SyncMessage {
  /** The isolate; empty in a reply. */
  readonly from: string;
  /** The newest version that the isolate has received, or that the reply brings; 0: none. */
  readonly version: number;
  readonly states: readonly SharedState[];
}

/** States in one message; the others follow in the next. */
export const MAX_STATES = 200;

/** A circuit and a `Retry-After` of one origin are different states. */
export const placeOf = ({ is, key }: SharedState): string => `${is === 'held'} ${key}`;

/** @param now In ticks, as `until`. */
export const sent = (
  { key, is, times, until }: SharedState & { until: number },
  now: number,
): SharedState => ({ key, is, times, left: Math.max(0, until - now) });

/** @throws {TypeError} if it is no message. States in it that make no sense are left out. */
export function readSyncMessage(given: unknown): SyncMessage {
  const { from, version, states } = (given ?? {}) as Partial<SyncMessage>;
  if (typeof from !== 'string' || from.length > MAX_KEY || !isAmount(version) || !Array.isArray(states))
    throw new TypeError('not a message of isolates');
  return { from, version, states: states.slice(0, MAX_STATES).flatMap((state) => readShared(state) ?? []) };
}
