import { systemHost } from '../../core/host.ts';
import { isAmount, MAX_KEY, readShared, type SharedState } from '../../policies/breaker/sharing.ts';
import { LruMap } from '../../primitives/lru.ts';
import { mixable, type ObjectClass } from './durable-object.ts';

/** The methods that isolates call on the stub of the object. */
export interface CoordinatorObject {
  exchange(report: SyncMessage): Promise<SyncMessage>;
}

/**
 * The shared state of isolates, as a Durable Object: see `betweenIsolates`. Keeps at most 1,000 states in memory and stores nothing.
 *
 * @param Base `DurableObject` of `cloudflare:workers`.
 * @example
 * import { DurableObject } from 'cloudflare:workers';
 *
 * export class Coordinator extends coordinatorObject(DurableObject) {}
 */
export function coordinatorObject<Env, Instance extends object>(
  Base: ObjectClass<Env, Instance>,
): ObjectClass<Env, Instance & CoordinatorObject> {
  abstract class Coordinating extends mixable(Base, 'coordinatorObject.Base') implements CoordinatorObject {
    readonly #exchange = coordinator();

    async exchange(report: SyncMessage): Promise<SyncMessage> {
      return this.#exchange(report, systemHost.clock.ticks());
    }
  }
  return Coordinating as never;
}

interface Known extends SharedState {
  /** In ticks. */
  readonly until: number;
  version: number;
  readonly by: string;
}

/** How long a closed circuit is not opened by an isolate that does not know yet that it has closed, in ms. */
const CLOSED_COUNTS = 10_000;

/** States need no storage: an open circuit is reported again every few seconds. */
export function coordinator(): (given: unknown, now: number) => SyncMessage {
  let version = 0;
  const states = new LruMap(() => ({ is: 'open', until: 0, version: 0 }) as Known);

  const take = (state: SharedState, by: string, seen: number, now: number): void => {
    const known = states.get(placeOf(state));
    const isNewer = known.version > seen && known.by !== by && known.until > now;
    if (isNewer && known.is === 'closed' && state.is !== 'closed') return;
    const until = now + (state.is === 'closed' ? CLOSED_COUNTS : state.left);
    const latest = state.is === 'held' ? Math.max(known.until, until) : until;
    Object.assign(known, state, { until: latest, by, version: ++version });
  };

  return (given, now) => {
    const { from, version: last, states: reported } = readSyncMessage(given);
    // An isolate may have a version of an earlier object.
    const seen = last > version ? 0 : last;
    for (const state of reported) take(state, from, seen, now);
    const newer = [...states.entries()]
      .map(([, known]) => known)
      .filter((known) => known.version > seen && known.by !== from)
      // To a new isolate all circuits are closed.
      .filter(({ is, until }) => (is === 'closed' ? last > 0 : until > now))
      .sort((a, b) => a.version - b.version);
    const some = newer.slice(0, MAX_STATES);
    return {
      from: '',
      version: newer.length > some.length ? (some.at(-1) as Known).version : version,
      states: some.map((known) => sent(known, now)),
    };
  };
}

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
