import { type Capabilities, named, type PipelineContext } from '../../core/contract.ts';
import { saysNetwork } from '../../core/errors.ts';
import { type Run, type Stage, stage } from '../../core/stage.ts';
import { isOriginFailure } from '../../http/status.ts';
import { isFailure } from '../../primitives/failure.ts';
import { admission, type Extension, letGo, type Passage, rejectionBy } from './admission.ts';
import { wake } from './circuit.ts';
import { type PlainBreakerOptions, type PlainSettings, readPlainBreakerOptions } from './plain-options.ts';
import { Circuits } from './transitions.ts';

type Hooks = Required<Pick<Stage<Passage>, 'attach' | 'enter' | 'leave' | 'settled' | 'recheck'>>;

export const breakerStage = (hooks: Hooks, brings: Capabilities = {}): Stage =>
  named('breaker', stage<Passage>(hooks), { switchOnly: true, brings });

/** The breaker of a client that names none: what `breaker()` adds is not in the bundle. */
export function plainBreaker(options: PlainBreakerOptions = {}): Stage {
  const settings = readPlainBreakerOptions(options);
  return breakerStage(breakerHooks(settings, new Circuits(settings)));
}

/** The hooks of every breaker: admit runs, and count their outcomes for or against the origin and the path. */
export function breakerHooks(settings: PlainSettings, circuits: Circuits, extension: Extension = {}): Hooks {
  const { admit, wait } = admission(circuits, settings.maxWait, extension);
  const emitters = new Set<PipelineContext['emit']>();

  circuits.changed = (circuit, from) => {
    wake(circuit);
    const { key: origin, is: to, reason } = circuit;
    if (from === to) return;
    for (const emit of emitters) emit({ type: 'circuit', origin, from, to, ...(to === 'open' && reason) });
    extension.changed?.(circuit, from);
  };

  const evaluate = (run: Run, { stamp, circuit }: Passage): void => {
    const { response, error, attempt, call } = run;
    const { host } = call;
    if (!circuit) return;
    if (!response) {
      const cause = isFailure(error) ? error.code : 'network';
      if (countsAgainst(run)) circuits.failed(circuit, stamp, host, cause, circuits.pathOf(run), attempt > 1);
      return;
    }
    const { status } = response;
    const isBad = isOriginFailure(status);
    const path = isBad ? circuits.get(circuits.pathOf(run)) : circuits.ofPath(run);
    // A response is evidence that the origin lives, unless `key` gives origin and path one circuit.
    if (path !== circuit) circuits.succeeded(circuit, stamp, host);
    if (!path) return;
    if (isBad) circuits.failed(path, stamp, host, `status ${status}`, path.key, attempt > 1);
    else if (status !== 429) circuits.succeeded(path, stamp, host);
  };

  return {
    attach({ emit, onClose }) {
      emitters.add(emit);
      onClose(() => emitters.delete(emit));
    },
    enter(run) {
      const passage: Passage = {
        stamp: 0,
        circuit: undefined,
        path: undefined,
        rejection: undefined,
      };
      const blocked = admit(run, passage, run);
      return blocked ? wait(run, passage, blocked) : passage;
    },
    leave(run, passage) {
      evaluate(run, passage);
      letGo(passage);
      const { rejection } = passage;
      if (!rejection || run.error !== rejection.error) return undefined;
      // The circuit opened while the run waited further in. Nothing was sent: the run waits here.
      return async () => {
        await wait(run, passage, rejection.by);
        return 'repeat';
      };
    },
    settled: (_, passage) => letGo(passage),
    recheck(run, passage) {
      for (const circuit of [passage.circuit, circuits.ofPath(run)])
        if (circuit && circuit.is !== 'closed' && circuit.since > passage.stamp) {
          const error = rejectionBy(circuit, run);
          passage.rejection = { error, by: circuit };
          throw error;
        }
    },
  };
}

/** True for a network error or a silent origin; not for the caller's abort, a rejection or a bug in a transport. */
export const countsAgainst = ({ error, isSent, call }: Run): boolean =>
  isSent &&
  !(call.signal.aborted && error === call.signal.reason) &&
  (isFailure(error) ? error.category === 'network' || error.category === 'timeout' : saysNetwork(error));
