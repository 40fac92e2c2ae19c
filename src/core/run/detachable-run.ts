import { Follower } from '../../primitives/abort.ts';
import { dropBody } from '../body/body.ts';
import type { Stage } from '../stage.ts';
import { GONE } from './in-flight.ts';
import { type Limit, Limits } from './limits.ts';
import { OUT } from './passages.ts';
import { OUTERMOST, SegmentRun } from './run.ts';

/**
 * A run whose inner part may go on without its caller: because others wait for what is inside a stage (`outlivesCaller`), or
 * because a stage has responded early.
 */
export class DetachableRun extends SegmentRun {
  override respondEarly(response: Response, level: number): void {
    const outer = this.#detach(level);
    if (outer.endedAt === OUTERMOST) dropBody(response);
    else {
      outer.response = response;
      outer.leave();
    }
  }

  override abandon(reason: unknown, level: number): void {
    if (level < this.level) this.abort(reason, level);
  }

  protected override worked(at: number): void {
    // Others have a part of the body: the end of the caller's must not end the attempt.
    if (this.#outlivesCaller(at)) this.ownsAttempt = false;
  }

  /** Only the caller, and the stages outside the one for which others wait, leave. */
  protected override goesOnAlone(reason: unknown, level: number): boolean {
    for (let at = level + 1; at < this.at && at < this.segment.stages.length; at++) {
      if (!this.#outlivesCaller(at)) continue;
      if (this.pipeline.signal.aborted) return false;
      this.#detach(at).abort(reason, level);
      return true;
    }
    return false;
  }

  #outlivesCaller(at: number): boolean {
    const memory = this.memories[at];
    try {
      return memory !== OUT && (this.segment.stages[at] as Stage).outlivesCaller?.(this, memory) === true;
    } catch {
      return false;
    }
  }

  /** @returns a run in which the stages outside a level, and the caller, leave; this one goes on without them. */
  #detach(level: number): DetachableRun {
    const outer = new DetachableRun(this.segment, this.outgoing, this.call, this.caller);
    outer.memories = this.memories.slice(0, level);
    outer.at = level;
    outer.found = this.found;
    outer.giveBack(level - 1);
    if (this.limits) {
      outer.limits = new Limits(outer);
      splitLimits(this.limits, outer.limits, level);
    }
    this.memories.fill(OUT, 0, level);
    this.caller = GONE;
    this.follower?.leave();
    this.follower = this.call.host.canShareIO ? new Follower(this.pipeline.signal, this) : undefined;
    this.follower?.begin();
    outer.follower = new Follower(outer.call.signal, outer);
    outer.follower.begin();
    return outer;
  }
}

/** Moves the limits of the stages outside `level` to the run that leaves these stages from now on. */
function splitLimits(from: Limits, outer: Limits, level: number): void {
  const inner: Limit[] = [];
  let limit = from.innermost;
  for (; limit && limit.level >= level; limit = limit.outer) inner.unshift(limit);
  outer.innermost = limit;
  from.innermost = undefined;
  for (const each of inner) from.innermost = { ...each, outer: from.innermost };
  from.disarm();
  from.arm();
  outer.arm();
}
