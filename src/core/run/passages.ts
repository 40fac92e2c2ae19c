import type { Aborter } from '../../primitives/abort.ts';
import type { BodyWatcher } from '../body/body.ts';
import { watchBody } from '../body/watched-response.ts';
import type { PassageOutcome, Run, Stage } from '../stage.ts';
import type { Segment } from './segment.ts';

/** In place of the memory of a stage that the call has switched off, or whose passage has ended. */
export const OUT = Symbol('out');

/**
 * The passage of the stages from one level inward, which an attempt has passed, ends with the body of its response.
 *
 * @param memories From that level on.
 * @returns the response to hand on.
 */
export function watchPassages(
  response: Response,
  run: Run,
  { stages, capabilities }: Segment,
  memories: readonly unknown[],
  from: number,
  attempt: Pick<Aborter, 'abort'> | undefined,
): Response {
  const watcher: BodyWatcher = {
    settled(how, error) {
      for (let at = memories.length - 1; at >= 0; at--)
        settle(stages[from + at] as Stage, run, memories[at], how, error);
      // Firefox receives a body to its end although its stream was cancelled; an abort of the request stops it.
      if (how === 'broken' || how === 'cancelled') attempt?.abort(error);
    },
  };
  const { ownBody } = capabilities;
  if (ownBody && memories.some((memory, at) => memory !== OUT && stages[from + at]?.ownsBody))
    return ownBody(response, watcher);
  watchBody(response, watcher);
  return response;
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
