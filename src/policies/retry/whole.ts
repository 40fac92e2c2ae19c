import { dropBody } from '../../core/body/body.ts';
import { buffered, constructed, type WholeResponse } from '../../core/body/read-body.ts';
import { watchBody } from '../../core/body/watched-response.ts';
import type { Run } from '../../core/stage.ts';
import { isStreaming } from '../../http/streaming.ts';
import { isFailure } from '../../primitives/failure.ts';

/** How long a body is read before the response is handed over, in ms. */
const LONGEST_READ = 10_000;

/**
 * For `retry: { until: wholeBody }`: takes a body of up to `bodyLimit` bytes into the attempt; a body that breaks or stalls is the
 * attempt's failure. A larger one streams on from there, and one of a streaming type from the start.
 *
 * @param within How long the response is held back, in ms; at most 10 s.
 *
 * @example
 * const fetch = createFetch({ retry: { until: wholeBody } });
 */
export const wholeBody = (run: Run, bodyLimit: number, within = LONGEST_READ): Promise<void> =>
  takeBody(run, bodyLimit, within, constructed);

/** As `wholeBody`. @param whole Makes the response that is handed over. */
export async function takeBody(
  run: Run,
  bodyLimit: number,
  within: number,
  whole: WholeResponse,
): Promise<void> {
  const { response } = run;
  if (!response || isStreaming(response.headers.get('content-type'))) return;
  // A watched body fails with a `HoldfastError`, whatever the engine's error; and the caller may leave in the middle.
  const body = watchBody(response, {});
  if (!body) return;
  const { host, attempts } = run.call;
  const { clock } = host;
  const longest = Math.min(LONGEST_READ, within);
  const began = clock.ticks();
  // A body that is slow but comes is not to be held back until the total time is up.
  const goesOn = (length: number): boolean => length <= bodyLimit && clock.ticks() - began < longest;
  let isEnded = false;
  try {
    run.response = await run.wait(Infinity, buffered(response, body, goesOn, whole), (reason) => {
      isEnded = true;
      body.break(reason);
    });
  } catch (error) {
    // The run has gone on without this attempt.
    if (isEnded) throw error;
    dropBody(response);
    run.response = undefined;
    run.error = error;
    const last = attempts.at(-1);
    // The log says how an attempt ended, and this one has not ended with its headers.
    if (last && isFailure(error)) attempts[attempts.length - 1] = { ...last, error: error.code };
  }
}
