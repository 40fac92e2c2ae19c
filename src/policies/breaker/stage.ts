import { type Capabilities, named, type PipelineContext } from '../../core/contract.ts';
import { saysNetwork } from '../../core/errors.ts';
import { type Run, type Stage, stage } from '../../core/stage.ts';
import { isOriginFailure } from '../../http/status.ts';
import { isFailure } from '../../primitives/failure.ts';
import { admission, emitted, wake } from './admission.ts';
import type { Passage } from './circuit.ts';
import type { Circuits } from './circuits.ts';
import type { Extension } from './extension.ts';
import type { PlainSettings } from './plain-options.ts';

type Hooks = Required<Pick<Stage<Passage>, 'attach' | 'enter' | 'leave' | 'settled' | 'recheck'>>;

export const breakerStage = (hooks: Hooks, brings: Capabilities = {}): Stage =>
  named('breaker', stage<Passage>(hooks), { switchOnly: true, brings });

/** The hooks of every breaker: admit runs, and count their outcomes for or against the origin and the path. */
export function breakerHooks(settings: PlainSettings, circuits: Circuits, extension: Extension = {}): Hooks {
  const { pathOf, knownPath, admit, letGo, wait, rejection } = admission(settings, circuits, extension);
  const emitters = new Set<NonNullable<PipelineContext['emit']>>();

  circuits.changed = (circuit, from) => {
    wake(circuit);
    const { key: origin, is: to, reason } = circuit;
    if (from === to) return;
    for (const emit of emitters) emit({ type: 'circuit', origin, from, to, ...(to === 'open' && reason) });
    extension.changed?.(circuit, from);
  };

  const evaluate = (run: Run, { stamp, circuit, path: own }: Passage): void => {
    const { response, error, attempt, call } = run;
    if (!circuit || (!response && !countsAgainst(run))) return;
    const { status = 0 } = response ?? {};
    const isBad = isOriginFailure(status);
    if (isBad) circuits.hasPaths = true;
    // A path may have got its circuit since the run was admitted.
    const path = response && (own ?? (isBad ? circuits.get(pathOf(run)) : knownPath(run)));
    if (response && path !== circuit) circuits.succeeded(circuit, stamp, call.host);
    if (!response || isBad) {
      const cause = response ? `status ${status}` : isFailure(error) ? error.code : 'network';
      const failed = { repeats: attempt > 1, cause, path: pathOf(run) };
      circuits.failed(path ?? circuit, stamp, call.host, failed);
    } else if (path && status !== 429) circuits.succeeded(path, stamp, call.host);
  };

  return {
    attach({ emit, onClose }) {
      if (!emit) return;
      emitters.add(emit);
      onClose(() => emitters.delete(emit));
    },
    enter(run) {
      const passage: Passage = { stamp: 0, circuit: undefined, path: undefined, rejection: undefined };
      const blocked = admit(run, passage, run);
      return blocked ? wait(run, passage, blocked) : passage;
    },
    leave(run, passage) {
      evaluate(run, passage);
      letGo(passage);
      const { rejection: ours } = passage;
      if (!ours || run.error !== ours || run.response) return undefined;
      const blocked = ours.circuit?.key;
      if (settings.maxWait === 0 || blocked === undefined) {
        emitted(ours, run);
        return undefined;
      }
      // The circuit opened while the run waited further in. Nothing was sent: the run waits here.
      return async () => {
        await wait(run, passage, circuits.get(blocked));
        return 'repeat';
      };
    },
    settled: (_, passage) => letGo(passage),
    recheck(run, passage) {
      for (const circuit of [passage.circuit, knownPath(run)])
        if (circuit && circuit.is !== 'closed' && circuit.since > passage.stamp) {
          passage.rejection = rejection(circuit, run);
          throw passage.rejection;
        }
    },
  };
}

/** True for a network error or a silent origin; not for the caller's abort, a rejection or a bug in a transport. */
export const countsAgainst = ({ error, isSent, call }: Run): boolean =>
  isSent &&
  !(call.signal.aborted && error === call.signal.reason) &&
  (isFailure(error) ? error.category === 'network' || error.category === 'timeout' : saysNetwork(error));
