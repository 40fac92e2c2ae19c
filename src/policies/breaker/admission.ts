import { CircuitOpenError } from '../../core/errors.ts';
import type { Run } from '../../core/stage.ts';
import { type Circuit, type CircuitState, freeAt, release, retryIn, wake } from './circuit.ts';
import type { Circuits } from './transitions.ts';

/** If calls may not wait for one another (Workers), each checks the circuit again after this time, in ms. */
const POLL_INTERVAL = 100;

/** What a breaker remembers of one run. */
export interface Passage {
  /** Set when the run is admitted; identifies its permits and slots. */
  stamp: number;
  /** Of the origin; and of the path, if it has one. Absent while the run waits. */
  circuit: Circuit | undefined;
  path: Circuit | undefined;
  /** The error with which `recheck` rejected the run, for a circuit. */
  rejection: { readonly error: CircuitOpenError; readonly by: Circuit } | undefined;
}

/** What `breaker()` adds to the plain breaker of a client. */
export interface Extension {
  /** Called when a run has the permit of its origin. @returns true if a request of its own is the probe. */
  probe?(circuit: Circuit, run: Run): boolean;
  /** A run is admitted. */
  admitted?(run: Run, passage: Passage): void;
  /** A circuit has changed its state. */
  changed?(circuit: Circuit, from: CircuitState): void;
}

/** Releases the slots and the permit of a run. */
export function letGo({ circuit, path, stamp }: Passage): void {
  if (circuit) release(circuit, stamp);
  if (path) release(path, stamp);
}

export function rejectionBy(circuit: Circuit, { origin, call: { host, id: callId } }: Run): CircuitOpenError {
  const { key, is, reason } = circuit;
  const left = retryIn(circuit, host.clock.ticks());
  const retryAt = left ? Math.ceil(host.clock.now() + left) : undefined;
  return new CircuitOpenError({ callId, origin, retryAt }, { key, is, ...reason });
}

function rejected(circuit: Circuit, run: Run): CircuitOpenError {
  const { origin, call } = run;
  const error = rejectionBy(circuit, run);
  call.emit?.({ type: 'refused', callId: call.id, origin, code: 'circuit-open', retryAt: error.retryAt });
  return error;
}

/** In a microtask of its own: an error costs the more, the more frames its stack has. */
const rejection = (circuit: Circuit, run: Run): Promise<never> =>
  Promise.resolve().then(() => {
    throw rejected(circuit, run);
  });

/** Admits runs when the circuits of their origin and of their path allow it. */
export function admission(circuits: Circuits, maxWait: number, { probe, admitted }: Extension) {
  /** Until when a call waits, in ticks, by its log of attempts, which all calls derived from it share. */
  const deadlines = new WeakMap<object, number>();

  /**
   * @param repetition Absent: the run is a first attempt.
   * @returns the circuit that does not admit the run.
   */
  const admit = (run: Run, passage: Passage, repetition?: Run): Circuit | undefined => {
    const { host } = run.call;
    const now = run.ticks;
    const path = circuits.ofPath(run);
    const circuit = circuits.get(run.origin);
    if (path && freeAt(path, now, repetition) > now) return path;
    if (freeAt(circuit, now, repetition) > now) return circuit;
    const stamp = circuits.stamp();
    circuits.take(circuit, stamp, host, repetition);
    // The permit is the probe's; calls of the application stay outside.
    if (circuit.is === 'half-open' && probe?.(circuit, run)) return circuit;
    if (path) circuits.take(path, stamp, host);
    passage.stamp = stamp;
    passage.circuit = circuit;
    passage.path = path;
    admitted?.(run, passage);
    return undefined;
  };

  /**
   * Waits until the circuits admit the run.
   *
   * @throws {CircuitOpenError} after `maxWait`; without a wait if it is in vain.
   */
  const wait = (run: Run, passage: Passage, blocked: Circuit): Promise<Passage> => {
    const { origin, call } = run;
    const { attempts, emit, id: callId, host } = call;
    const { clock } = host;
    const began = clock.ticks();
    const own = deadlines.get(attempts) ?? began + maxWait;
    const deadline = Math.min(own, run.deadline);
    /** True if waiting is in vain. A call that has a response does not wait for a better one of its path. */
    const mustReject = ({ is, probeAt, key }: Circuit): boolean =>
      is !== 'closed' && (probeAt >= deadline || (run.call.hasResponse === true && key !== origin));
    if ((began >= deadline && (maxWait > 0 || blocked.is !== 'closed')) || mustReject(blocked))
      return rejection(blocked, run);
    deadlines.set(attempts, own);
    // A closed circuit lets one repetition through at a time. The next one waits for half of its time at most, and is then sent,
    // unless another has failed.
    const latest = Math.min(deadline, began + (run.deadline - began) / 2);
    const { rounds } = circuits.get(origin);

    const released = async (): Promise<Passage> => {
      if (
        call.standsIn &&
        latest > began &&
        (await run.wait(
          Infinity,
          call.standsIn().catch(() => false),
        ))
      )
        throw rejected(blocked, run);
      emit?.({ type: 'waiting', callId, origin, for: 'circuit' });
      for (;;) {
        const now = clock.ticks();
        const repetition = now >= latest && circuits.get(origin).rounds === rounds ? undefined : run;
        const circuit = admit(run, passage, repetition);
        if (!circuit) {
          emit?.({ type: 'released', callId, origin, for: 'circuit', waited: now - began });
          return passage;
        }
        const end = circuit.is === 'closed' ? latest : deadline;
        if (now >= end || mustReject(circuit)) throw rejected(circuit, run);
        const free = freeAt(circuit, now, repetition);
        await change(circuit, run, circuits.pathOf(run), Math.min(free, end) - now);
      }
    };
    return released();
  };

  return { admit, wait };
}

/** Waits until a circuit changes, or `ms`; all calls that wait for it then look in the order of `wake`, and not of the timers. */
function change(circuit: Circuit, run: Run, path: string, ms: number): Promise<void> {
  const { clock, canShareIO } = run.call.host;
  if (!canShareIO) return run.wait(Math.min(POLL_INTERVAL, ms));
  const { waiting } = circuit;
  let leave = (): void => {};
  const changed = new Promise<void>((resolve) => {
    const cancel = clock.after(ms, () => wake(circuit));
    const look = (): void => {
      leave();
      resolve();
    };
    const entry = { path, isOnly: run.call.attemptsLeft === 0, look };
    waiting.add(entry);
    leave = () => {
      cancel();
      waiting.delete(entry);
    };
  });
  return run.wait(Infinity, changed, leave);
}
