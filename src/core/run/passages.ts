import type { Aborter } from '../../primitives/abort.ts';
import type { BodyWatcher } from '../body/body.ts';
import { watchBody } from '../body/watched-response.ts';
import type { PassageOutcome, Run, Stage } from '../stage.ts';
import type { Segment } from './segment.ts';

/** In place of the memory of a stage that the call has switched off, or whose passage has ended. */
export const OUT = Symbol('out');

/** The stages from one level inward that an attempt has passed: their passage ends with the body of its response. */
export class Passages implements BodyWatcher {
  readonly #run: Run;
  readonly #segment: Segment;
  readonly #memories: readonly unknown[];
  readonly #from: number;
  readonly #attempt: Pick<Aborter, 'abort'> | undefined;

  /** @param memories From that level on. */
  constructor(
    run: Run,
    segment: Segment,
    memories: readonly unknown[],
    from: number,
    attempt: Pick<Aborter, 'abort'> | undefined,
  ) {
    this.#run = run;
    this.#segment = segment;
    this.#memories = memories;
    this.#from = from;
    this.#attempt = attempt;
  }

  /** @returns the response to hand on. */
  watch(response: Response): Response {
    const { stages, capabilities } = this.#segment;
    const ownsBody = (memory: unknown, at: number) => memory !== OUT && stages[this.#from + at]?.ownsBody;
    if (capabilities.ownBody && this.#memories.some(ownsBody)) return capabilities.ownBody(response, this);
    watchBody(response, this);
    return response;
  }

  settled(how: PassageOutcome, error?: unknown): void {
    for (let at = this.#memories.length - 1; at >= 0; at--)
      settle(this.#segment.stages[this.#from + at] as Stage, this.#run, this.#memories[at], how, error);
    // Firefox goes on receiving a body whose stream was cancelled; an abort of the request ends that.
    if (how === 'broken' || how === 'cancelled') this.#attempt?.abort(error);
  }
}

/** A hook that throws must not keep the other stages from their `settled`. */
export function settle(stage: Stage, run: Run, memory: unknown, how: PassageOutcome, error: unknown): void {
  if (memory === OUT) return;
  try {
    stage.settled?.(run, memory, how, error);
  } catch {
    // The call is over; there is nothing that could be rejected.
  }
}
