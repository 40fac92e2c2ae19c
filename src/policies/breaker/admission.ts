import { OverdueError } from '../../core/clock.ts';
import { CircuitOpenError } from '../../core/errors.ts';
import type { Run } from '../../core/stage.ts';
import {
  type Applicant,
  applicantFor,
  FIRST,
  type Pass,
  type Passage,
  permitOf,
  retryIn,
} from './circuit.ts';
import type { Circuits } from './circuits.ts';
import type { Extension } from './extension.ts';
import type { PlainSettings } from './plain-options.ts';
import type { WaitingRoom } from './waiting.ts';

/** How long the cache may look for a cached response, in ms. */
const LOOK = 2_000;

/** Lets runs go when the circuits of their origin and of their path allow it. */
export function admission(
  { key: ownKey, maxWait }: PlainSettings,
  circuits: Circuits,
  room: WaitingRoom,
  extension: Extension,
) {
  /** The key of the circuit for 408 and 5xx. */
  const pathOf = (run: Run): string => {
    const { call, origin, url } = run;
    if (ownKey) return ownKey(run.request, call.origin === origin ? call : { ...call, origin });
    const end = url.search(/[?#]/);
    return end < 0 ? url : url.slice(0, end);
  };

  /** The same; or the origin, while no path has a circuit. */
  const knownPathOf = (run: Run): string => (circuits.hasPaths ? pathOf(run) : run.origin);

  /** @returns the key of the circuit that does not let the run go, or the passes. */
  const admit = (run: Run, applicant: Applicant = applicantFor(run)): Passage | string => {
    const { origin, call } = run;
    const { clock } = call.host;
    const key = knownPathOf(run);
    let path: Pass | undefined;
    if (key !== origin && circuits.has(key)) {
      const circuit = circuits.admit(key, clock, FIRST);
      if (!circuit) return key;
      path = { key, circuit, permit: permitOf(circuit, FIRST) };
    }
    const circuit = circuits.admit(origin, clock, applicant);
    // The permit is the probe's; calls of the application stay outside.
    if (!circuit || (circuit.is === 'half-open' && extension.probe?.(circuit, run))) {
      if (path) circuits.release(path);
      return origin;
    }
    const passage: Passage = {
      key: origin,
      circuit,
      permit: permitOf(circuit, applicant),
      path,
      began: circuits.stamp(),
      repeats: run.attempt > 1,
      isHeld: true,
      isOver: false,
      rejection: undefined,
    };
    extension.admitted?.(run, passage);
    return passage;
  };

  /**
   * Waits until the circuits let the run go.
   *
   * @throws {CircuitOpenError} after `maxWait`; at once if waiting brings nothing.
   */
  const wait = (run: Run, blocked: string): Promise<Passage> => {
    const now = run.call.host.clock.ticks();
    const deadline = room.deadlineOf(run);
    const isOver =
      circuits.get(blocked).is === 'closed'
        ? maxWait > 0 && now >= deadline
        : isHopeless(blocked, run, now, deadline);
    if (isOver) throw rejected(blocked, run);
    return released(run, blocked, deadline);
  };

  /** Whether waiting brings nothing. A call that has a response does not wait for its path to give a better one. */
  const isHopeless = (key: string, { hasResponse, origin }: Run, now: number, deadline: number): boolean =>
    now >= deadline ||
    !circuits.mayChangeBy(deadline, key) ||
    (hasResponse && key !== origin && circuits.get(key).is !== 'closed');

  const released = async (run: Run, blocked: string, deadline: number): Promise<Passage> => {
    const { origin } = run;
    const { id: callId, emit } = run.call;
    const { clock } = run.call.host;
    const began = clock.ticks();
    // While the circuit is closed a repetition waits for others, but not so long that its own time is up; then it is sent,
    // unless one of the others has failed.
    const latest = Math.min(deadline, began + (run.deadline - began) / 2);
    const rounds = circuits.rounds(origin);
    const own = (now: number): Applicant =>
      now >= latest && circuits.rounds(origin) === rounds ? FIRST : applicantFor(run);
    if (latest > began && (await standsIn(run))) throw rejected(blocked, run);
    emit?.({ type: 'waiting', callId, origin, for: 'circuit' });
    for (let key = blocked; ; ) {
      const now = clock.ticks();
      const isClosed = circuits.get(key).is === 'closed';
      if (now < latest || !isClosed) {
        if (isHopeless(key, run, now, deadline)) throw rejected(key, run);
        const freeAt = circuits.freeAt(key, now, key === origin ? own(now) : FIRST);
        const until = Math.min(freeAt, isClosed ? latest : deadline);
        await room.change(key, until - now, pathOf(run), run);
      }
      const admitted = admit(run, own(clock.ticks()));
      if (typeof admitted !== 'string') {
        emit?.({ type: 'released', callId, origin, for: 'circuit', waited: clock.ticks() - began });
        return admitted;
      }
      if (clock.ticks() >= latest && circuits.get(admitted).is === 'closed') throw rejected(admitted, run);
      key = admitted;
    }
  };

  const rejection = (key: string, { origin, call: { host, id: callId } }: Run): CircuitOpenError => {
    const circuit = circuits.get(key);
    const left = retryIn(circuit, host.clock.ticks());
    const retryAt = left ? Math.ceil(host.clock.now() + left) : undefined;
    const reason = circuit.is === 'closed' ? undefined : circuit.reason;
    return new CircuitOpenError({ callId, origin, retryAt }, { key, is: circuit.is, ...reason });
  };

  const rejected = (key: string, run: Run): CircuitOpenError => emitted(rejection(key, run), run);

  return { pathOf, knownPathOf, admit, wait, rejection };
}

export function emitted(
  error: CircuitOpenError,
  { origin, call: { id: callId, emit } }: Run,
): CircuitOpenError {
  emit?.({ type: 'refused', callId, origin, code: 'circuit-open', retryAt: error.retryAt });
  return error;
}

/** Whether a cached response can take the place of a response. A policy that cannot tell in time has none. */
async function standsIn(run: Run): Promise<boolean> {
  const { call } = run;
  if (!call.standsIn) return false;
  try {
    return await run.wait(
      LOOK,
      call.standsIn().catch(() => false),
    );
  } catch (error) {
    if (error instanceof OverdueError) return false;
    throw error;
  }
}
