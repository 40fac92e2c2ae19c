import { type Home, named } from '../../core/contract.ts';
import { isFailure, saysNetwork } from '../../core/errors.ts';
import { type Run, type Stage, stage } from '../../core/stage.ts';
import { isOriginFailure } from '../../http/status.ts';
import { admission, emitted } from './admission.ts';
import type { Circuit, Pass, Passage } from './circuit.ts';
import type { Circuits } from './circuits.ts';
import type { Extension } from './extension.ts';
import type { PlainSettings } from './plain-options.ts';
import { WaitingRoom } from './waiting.ts';

/** The stage of every breaker: lets runs go, and judges the origin and the path by what comes of them. */
export function breakerStage(settings: PlainSettings, circuits: Circuits, extension: Extension = {}): Stage {
  const room = new WaitingRoom(settings.maxWait, (key) => circuits.failedPath(key));
  const { pathOf, knownPathOf, admit, wait, rejection } = admission(settings, circuits, room, extension);
  const emitters = new Set<NonNullable<Home['emit']>>();

  circuits.countWaiting = (key) => room.count(key);
  circuits.changed = (key, from, to) => {
    room.wake(key);
    if (from.is === to.is) return;
    for (const emit of emitters)
      emit({ type: 'circuit', origin: key, from: from.is, to: to.is, ...(to.is === 'open' && to.reason) });
    extension.changed?.(key, from, to);
  };

  const succeed = (run: Run, pass: Pass, passage: Passage): void => {
    circuits.succeeded(pass, run.call.host);
    extension.judged?.(run, pass, passage);
  };

  const fail = (run: Run, pass: Pass, passage: Passage, cause: string, path: string): void => {
    const { began, repeats } = passage;
    circuits.failed(pass, run.call.host, { began, repeats, cause, path });
    extension.judged?.(run, pass, passage);
  };

  const judgeResponse = (run: Run, passage: Passage, status: number): void => {
    const { path } = passage;
    if (isOriginFailure(status)) {
      const key = pathOf(run);
      circuits.hasPaths = true;
      const isOfOrigin = key === passage.key;
      if (!isOfOrigin) succeed(run, passage, passage);
      const failed = isOfOrigin ? passage : (path ?? { key, circuit: circuits.get(key), permit: 0 });
      fail(run, failed, passage, `status ${status}`, key);
      return;
    }
    // A path may have got its circuit since the run was let go.
    const own = path ?? (circuits.hasPaths ? closedCircuit(pathOf(run)) : undefined);
    succeed(run, passage, passage);
    if (own && status !== 429) succeed(run, own, passage);
    else if (path) circuits.release(path);
  };

  const judgeFailure = (run: Run, passage: Passage): void => {
    const { error } = run;
    if (run.isSent && countsAgainst(error, run))
      fail(run, passage, passage, isFailure(error) ? error.code : 'network', pathOf(run));
    else circuits.release(passage);
    if (passage.path) circuits.release(passage.path);
  };

  /** The passes of a run have been given back: a slot or the permit may be free. */
  const left = (run: Run, passage: Passage): void => {
    passage.isHeld = false;
    room.wake(passage.key);
    if (passage.path) room.wake(passage.path.key);
    extension.left?.(run);
  };

  const giveBack = (run: Run, passage: Passage): void => {
    circuits.release(passage);
    if (passage.path) circuits.release(passage.path);
    left(run, passage);
  };

  const closedCircuit = (key: string): Pass | undefined => {
    if (!circuits.has(key)) return undefined;
    const circuit = circuits.get(key);
    return circuit.is === 'closed' ? { key, circuit, permit: 0 } : undefined;
  };

  /** The key of a circuit that has opened since the run was let go. */
  const changedSince = ({ key: origin, circuit, path }: Passage, run: Run): string | undefined => {
    const hasOpened = (key: string, seen: Circuit | undefined): boolean =>
      circuits.has(key) && circuits.get(key) !== seen && circuits.get(key).is !== 'closed';
    if (hasOpened(origin, circuit)) return origin;
    const key = knownPathOf(run);
    return key !== origin && hasOpened(key, path?.circuit) ? key : undefined;
  };

  /** The circuit opened while the run waited further in. Nothing was sent: the run waits here. */
  const readmit = async (run: Run, passage: Passage, blocked: string): Promise<'repeat'> => {
    const again = await wait(run, blocked);
    // The run ended in that moment, and nothing else gives these passes back.
    if (passage.isOver) giveBack(run, again);
    Object.assign(passage, again);
    return 'repeat';
  };

  const policy = stage<Passage>({
    attach(home, inside) {
      const { emit } = home;
      if (emit) {
        emitters.add(emit);
        home.onClose(() => emitters.delete(emit));
      }
      extension.attach?.(home, inside);
    },
    enter(run) {
      extension.enter?.(run);
      const admitted = admit(run);
      return typeof admitted === 'string' ? wait(run, admitted) : admitted;
    },
    leave(run, passage) {
      const { response, error } = run;
      const { rejection: ours } = passage;
      if (response) judgeResponse(run, passage, response.status);
      else judgeFailure(run, passage);
      left(run, passage);
      if (response || !ours || error !== ours) return undefined;
      const blocked = ours.circuit?.key;
      if (settings.maxWait > 0 && blocked !== undefined) return () => readmit(run, passage, blocked);
      emitted(ours, run);
      return undefined;
    },
    settled(run, passage) {
      passage.isOver = true;
      if (passage.isHeld) giveBack(run, passage);
    },
    recheck(run, passage) {
      const key = changedSince(passage, run);
      if (key === undefined) return;
      passage.rejection = rejection(key, run);
      throw passage.rejection;
    },
  });
  return named('breaker', policy, { switchOnly: true });
}

/** The network, or the origin's silence. Else it was the caller's abort, a rejection of ours, or a bug in a transport. */
const countsAgainst = (error: unknown, { call }: Run): boolean =>
  isFailure(error)
    ? error.category === 'network' || error.category === 'timeout'
    : saysNetwork(error) && error !== call.signal.reason;
