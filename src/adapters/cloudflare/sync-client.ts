import type { Call } from '../../core/contract.ts';
import type { SharedState } from '../../policies/breaker/sharing.ts';
import { DeadlineError, withDeadline } from '../../primitives/clock.ts';
import { ConfigurationError } from '../../primitives/failure.ts';
import { LruMap } from '../../primitives/lru.ts';
import { MAX_STATES, placeOf, readSyncMessage, type SyncMessage, sent } from './coordinator-object.ts';

/** How long the coordinator may take to reply, in ms. */
const TIMEOUT = 2_000;

/** The longest backoff while the coordinator does not respond, in ms. */
const MAX_WAIT = 60_000;

/** Exchanges in the background of one call, if there is more to report. */
const MAX_TURNS = 5;

interface Known extends SharedState {
  /** In ticks. */
  readonly until: number;
  readonly stamp: number;
  /** The policy that reported it; none if another isolate did. */
  readonly by: object | undefined;
  pending: boolean;
}

export type SyncClient = ReturnType<typeof syncClient>;

/**
 * Exchanges the states of this isolate with the coordinator, in the background of its calls: one exchange at a time, one each
 * `every`, and at once if there is a change to report. Between calls nothing runs, and requests share numbers only.
 */
export function syncClient(name: string, every: number, send: (report: SyncMessage) => Promise<unknown>) {
  const states = new LruMap(() => ({ stamp: 0, pending: false }) as Known);
  let stamp = 0;
  let ticks = (): number => 0;
  let me = '';
  let version = 0;
  let inFlight: object | undefined;
  let isUrgent = false;
  /** In ticks: when the next exchange is due, and before which there is none however urgent it is. */
  let dueAt = 0;
  let notBefore = 0;
  let failures = 0;

  const learn = (state: SharedState, by?: object): void => {
    const until = ticks() + state.left;
    Object.assign(states.get(placeOf(state)), state, {
      until,
      by,
      pending: by !== undefined,
      stamp: ++stamp,
    });
  };

  const failed = (error: unknown, call: Call): void => {
    inFlight = undefined;
    const wait = Math.min(MAX_WAIT, every * 2 ** ++failures) * (0.5 + call.host.random() / 2);
    // A mistake in the settings does not mend itself.
    dueAt = notBefore = error instanceof ConfigurationError ? Infinity : ticks() + wait;
    if (failures === 1) call.emit?.({ type: 'sharing-failed', name, error });
  };

  const exchange = async (call: Call, own: object, turn = 1): Promise<void> => {
    me ||= call.host.random().toString(36).slice(2);
    // The call goes first; the exchange then reports its result.
    await undefined;
    const began = ticks();
    const all = [...states.entries()].map(([, known]) => known).filter(({ pending }) => pending);
    const some = all.slice(0, MAX_STATES);
    const reported = some.map((known) => sent(known, began));
    const last = stamp;
    isUrgent = all.length > some.length;
    try {
      const reply = await withDeadline(
        TIMEOUT,
        { host: call.host },
        send({ from: me, version, states: reported }),
      );
      const { version: newest, states: received } = readSyncMessage(reply);
      if (inFlight !== own) return;
      for (const known of some) if (known.stamp <= last) known.pending = false;
      version = newest;
      // By then the result of the first probe is known.
      const later = Math.min(TIMEOUT, every) * (2 + call.host.random());
      for (const state of received) if (!states.get(placeOf(state)).pending) learn({ ...state, later });
    } catch (error) {
      return inFlight === own ? failed(error, call) : undefined;
    }
    if (isUrgent && turn < MAX_TURNS) return exchange(call, own, turn + 1);
    inFlight = undefined;
    dueAt = began + every;
    notBefore = 0;
    if (failures > 0) call.emit?.({ type: 'sharing-restored', name });
    failures = 0;
  };

  return {
    broadcast(state: SharedState, by: object): void {
      isUrgent = true;
      learn(state, by);
    },
    /** Passes on newer states. @param seen The last returned value; below 0 the first time. */
    catchUp(seen: number, by: object, onState: (state: SharedState) => void): number {
      // To a policy that is new all circuits are closed.
      for (const [, known] of seen === stamp ? [] : states.entries())
        if (known.stamp > seen && known.by !== by && (seen >= 0 || known.is !== 'closed'))
          onState({ ...sent(known, ticks()), later: known.later ?? 0 });
      return stamp;
    },
    /** Begins an exchange if it is time, in the background of the call. */
    during(call: Call): void {
      const { clock } = call.host;
      ticks = () => clock.ticks();
      if (ticks() < (isUrgent ? notBefore : dueAt)) return;
      // The platform has ended the request that the exchange belonged to.
      if (inFlight) failed(new DeadlineError(`no reply in ${TIMEOUT} ms`), call);
      else {
        dueAt = notBefore = ticks() + 2 * TIMEOUT;
        inFlight = {};
        call.waitUntil(exchange(call, inFlight));
      }
    },
  };
}
