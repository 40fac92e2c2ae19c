import type { Host } from '../../core/contract.ts';
import { CircuitOpenError } from '../../core/errors.ts';
import type { Run } from '../../core/stage.ts';
import { DeadlineError } from '../../primitives/clock.ts';
import { type Circuit, freeAt, type Passage, release, retryIn, type Waiting } from './circuit.ts';
import type { Circuits } from './circuits.ts';
import type { Extension } from './extension.ts';
import type { PlainSettings } from './plain-options.ts';

/** How long the cache may search for a cached response, in ms. */
const LOOKUP_TIMEOUT = 2_000;

/** If calls may not wait for one another (Workers), each checks the circuit again after this time, in ms. */
const POLL_INTERVAL = 100;

/** Admits runs when the circuits of their origin and of their path allow it. */
export function admission(
  { key: ownKey, maxWait }: PlainSettings,
  circuits: Circuits,
  { probe, admitted }: Extension,
) {
  /** Until when a call waits, in ticks, by its log of attempts, which all calls derived from it share. */
  const deadlines = new WeakMap<object, number>();

  /** The key of the circuit for 408 and 5xx. */
  const pathOf = (run: Run): string => {
    const { call, origin, url } = run;
    if (ownKey) return ownKey(run.request, call.origin === origin ? call : { ...call, origin });
    const end = url.search(/[?#]/);
    return end < 0 ? url : url.slice(0, end);
  };

  /** The circuit of the path, if it has one. */
  const knownPath = (run: Run): Circuit | undefined => {
    if (!circuits.hasPaths) return undefined;
    const key = pathOf(run);
    return key !== run.origin && circuits.has(key) ? circuits.get(key) : undefined;
  };

  /**
   * @param repetition Absent: to the circuit of the origin the run is a first attempt. To that of a path each is: only an
   *   origin as a whole is silent.
   * @returns the circuit that does not admit the run.
   */
  const admit = (run: Run, passage: Passage, repetition: Run | undefined): Circuit | undefined => {
    const { host } = run.call;
    const path = knownPath(run);
    if (path && !circuits.isFree(path, host)) return path;
    const circuit = circuits.get(run.origin);
    if (!circuits.isFree(circuit, host, repetition)) return circuit;
    const stamp = circuits.stamp();
    circuits.take(circuit, stamp, host, repetition);
    // The permit is the probe's; calls of the application stay outside.
    if (circuit.is === 'half-open' && probe?.(circuit, run)) return circuit;
    if (path) circuits.take(path, stamp, host);
    Object.assign(passage, { stamp, circuit, path });
    admitted?.(run, passage);
    return undefined;
  };

  /** Releases the slots and the permit of a run, and wakes the calls that wait for them. */
  const releaseAll = ({ circuit, path, stamp }: Passage): void => {
    for (const each of [circuit, path])
      if (each) {
        release(each, stamp);
        wake(each);
      }
  };

  /**
   * Waits until the circuits admit the run.
   *
   * @throws {CircuitOpenError} after `maxWait`; at once if waiting is in vain.
   */
  const wait = (run: Run, passage: Passage, blocked: Circuit): Promise<Passage> => {
    const { origin, call } = run;
    const { id: callId, emit } = call;
    const { host } = call;
    const { clock } = host;
    const began = clock.ticks();
    const own = deadlines.get(call.attempts) ?? began + maxWait;
    const deadline = Math.min(own, run.deadline);
    /** True if waiting is in vain. A call that has a response does not wait for a better one of its path. */
    const mustReject = ({ is, from, key }: Circuit): boolean =>
      is !== 'closed' && (from >= deadline || (run.call.hasResponse === true && key !== origin));
    if ((began >= deadline && (maxWait > 0 || blocked.is !== 'closed')) || mustReject(blocked))
      throw rejected(blocked, run);
    deadlines.set(call.attempts, own);
    // While the circuit is closed a repetition waits for others for half of its own time at most; then it is sent,
    // unless one of the others has failed.
    const latest = Math.min(deadline, began + (run.deadline - began) / 2);
    const { rounds } = circuits.get(origin);

    const released = (): Promise<Passage> => {
      emit?.({ type: 'waiting', callId, origin, for: 'circuit' });
      let leave = (): void => {};
      const released = new Promise<Passage>((resolve, reject) => {
        const look = (): void => {
          leave();
          const now = clock.ticks();
          const repetition = now >= latest && circuits.get(origin).rounds === rounds ? undefined : run;
          const circuit = admit(run, passage, repetition);
          const end = circuit?.is === 'closed' ? latest : deadline;
          if (!circuit) {
            emit?.({ type: 'released', callId, origin, for: 'circuit', waited: now - began });
            resolve(passage);
          } else if (now >= end || mustReject(circuit)) reject(rejected(circuit, run));
          else {
            const free = freeAt(circuit, now, circuit.key === origin ? repetition : undefined);
            leave = join(circuit, waiting, Math.min(free, end) - now, host);
          }
        };
        const waiting: Waiting = { path: pathOf(run), isOnly: run.call.attemptsLeft === 0, look };
        look();
      });
      return run.wait(Number.POSITIVE_INFINITY, released, () => {
        leave();
        releaseAll(passage);
      });
    };

    if (!call.standsIn || latest <= began) return released();
    return standsIn(run).then((does) => {
      if (does) throw rejected(blocked, run);
      return released();
    });
  };

  const rejection = (circuit: Circuit, { origin, call: { host, id: callId } }: Run): CircuitOpenError => {
    const { key, is, reason } = circuit;
    const left = retryIn(circuit, host.clock.ticks());
    const retryAt = left ? Math.ceil(host.clock.now() + left) : undefined;
    return new CircuitOpenError({ callId, origin, retryAt }, { key, is, ...reason });
  };

  const rejected = (circuit: Circuit, run: Run): CircuitOpenError => emitted(rejection(circuit, run), run);

  return { pathOf, knownPath, admit, letGo: releaseAll, wait, rejection };
}

export function emitted(
  error: CircuitOpenError,
  { origin, call: { id: callId, emit } }: Run,
): CircuitOpenError {
  emit?.({ type: 'refused', callId, origin, code: 'circuit-open', retryAt: error.retryAt });
  return error;
}

/** @param ms After them the call checks by itself, in the order of `wake` and not in that of the timers. */
function join(circuit: Circuit, waiting: Waiting, ms: number, { clock, canShareIO }: Host): () => void {
  const cancel = canShareIO
    ? clock.after(ms, () => wake(circuit))
    : clock.after(Math.min(POLL_INTERVAL, ms), waiting.look);
  circuit.waiting ??= new Set();
  if (canShareIO) circuit.waiting.add(waiting);
  return () => {
    cancel();
    circuit.waiting?.delete(waiting);
  };
}

/**
 * Lets all calls that wait for a circuit check it again. The first one may become the probe: a call to another path than
 * the one that failed last, so that one broken path does not hold up the others; and one that can be repeated.
 */
export function wake({ waiting, failedPath }: Circuit): void {
  if (!waiting?.size) return;
  const rank = ({ path, isOnly }: Waiting): number => (path === failedPath ? 2 : 0) + (isOnly ? 1 : 0);
  // The call before may have admitted this one.
  for (const each of [...waiting].sort((a, b) => rank(a) - rank(b))) if (waiting.has(each)) each.look();
}

/** Whether a cached response can take the place of a response; false if the policy does not say so in time. */
async function standsIn(run: Run): Promise<boolean | undefined> {
  try {
    return await run.wait(LOOKUP_TIMEOUT, run.call.standsIn?.().catch(() => false) ?? Promise.resolve(false));
  } catch (error) {
    if (error instanceof DeadlineError) return false;
    throw error;
  }
}
