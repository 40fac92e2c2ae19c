import { systemHost } from '../../core/host.ts';
import { LruMap } from '../../core/origins.ts';
import type { SharedState } from '../../policies/breaker/sharing.ts';
import { mixable, type ObjectClass } from './object-class.ts';
import { MAX_STATES, type Message, placeOf, readMessage, sent } from './protocol.ts';

/** What isolates call on the stub of the object. */
export interface CoordinatorObject {
  exchange(report: Message): Promise<Message>;
}

/**
 * What isolates share, as a Durable Object: see `betweenIsolates`. It keeps at most 1,000 states in memory and stores nothing.
 *
 * @param Base `DurableObject` of `cloudflare:workers`.
 * @example
 * export class Coordinator extends coordinatorObject(DurableObject) {}
 */
export function coordinatorObject<Env, Instance extends object>(
  Base: ObjectClass<Env, Instance>,
): ObjectClass<Env, Instance & CoordinatorObject> {
  abstract class Coordinating extends mixable(Base, 'coordinatorObject.Base') implements CoordinatorObject {
    readonly #exchange = coordinator();

    async exchange(report: Message): Promise<Message> {
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

/** A circuit that has closed is not opened for so long by an isolate that has not heard of it, in ms. */
const CLOSED_COUNTS = 10_000;

/** What is lost with the memory comes again: an open circuit changes every few seconds. */
export function coordinator(): (given: unknown, now: number) => Message {
  let version = 0;
  const states = new LruMap(() => ({ is: 'open', until: 0, version: 0 }) as Known);

  const take = (state: SharedState, by: string, heard: number, now: number): void => {
    const known = states.get(placeOf(state));
    const isNews = known.version > heard && known.by !== by && known.until > now;
    if (isNews && known.is === 'closed' && state.is !== 'closed') return;
    const until = now + (state.is === 'closed' ? CLOSED_COUNTS : state.left);
    const latest = state.is === 'held' ? Math.max(known.until, until) : until;
    Object.assign(known, state, { until: latest, by, version: ++version });
  };

  return (given, now) => {
    const { from, version: last, states: told } = readMessage(given);
    // An isolate may have heard a version of the object that was here before.
    const heard = last > version ? 0 : last;
    for (const state of told) take(state, from, heard, now);
    const news = [...states.entries()]
      .map(([, known]) => known)
      .filter((known) => known.version > heard && known.by !== from)
      // That a circuit has closed means nothing to an isolate that is new.
      .filter(({ is, until }) => (is === 'closed' ? last > 0 : until > now))
      .sort((a, b) => a.version - b.version);
    const some = news.slice(0, MAX_STATES);
    return {
      from: '',
      version: news.length > some.length ? (some.at(-1) as Known).version : version,
      states: some.map((known) => sent(known, now)),
    };
  };
}
