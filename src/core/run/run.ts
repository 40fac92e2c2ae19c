import { Follower } from '../../primitives/abort.ts';
import { notify } from '../../primitives/emitter.ts';
import type { LazyRequest } from '../../primitives/request.ts';
import { dropBody, isGone } from '../body/body.ts';
import type { Call, PipelineContext, Receiver } from '../call.ts';
import type { Leaving, OnLimit, PassageOutcome, Run, Stage } from '../stage.ts';
import { GONE, InFlight } from './in-flight.ts';
import { Limits } from './limits.ts';
import { OUT, settle, watchPassages } from './passages.ts';
import { RunFacts } from './run-facts.ts';
import type { Segment } from './segment.ts';
import { Wait } from './wait.ts';

/** The level of the caller and of `close()`. */
export const OUTERMOST = -1;

/**
 * Executes the stages of a segment for one call.
 *
 * A run is at one place (`at`) and waits for at most one thing. What comes after that wait was ended belongs to an earlier turn
 * (`#turn`) and changes nothing. When a limit passes, everything inside its stage is left with that error and may not repeat
 * (`endedAt`); from there outward it is an ordinary failure.
 */
export class SegmentRun extends RunFacts implements Run, Receiver {
  response: Response | undefined;
  error: unknown;
  protected readonly segment: Segment;
  protected memories: unknown[];
  protected caller: Receiver;
  /** The stage whose turn it is; while what is inside the segment runs, the number of stages. */
  protected at = 0;
  #turn = 0;
  /** The stage at `at` has been left, and does its work. */
  #isWorking = false;
  /** The level down to which the run was ended, and why. */
  protected endedAt = Infinity;
  #endedBy: unknown;
  protected limits: Limits | undefined;
  #wait: Wait | undefined;
  #inFlight: InFlight | undefined;
  /** The end of the body ends the attempt. */
  protected ownsAttempt = true;
  protected follower: Follower | undefined;

  constructor(segment: Segment, outgoing: LazyRequest, call: Call, caller: Receiver) {
    super(outgoing, call);
    this.segment = segment;
    this.memories = new Array(segment.stages.length).fill(OUT);
    this.caller = caller;
  }

  start(): void {
    const { signal } = this.call;
    if (signal.aborted) this.caller.reject(signal.reason);
    else {
      this.follower = new Follower(signal, this);
      this.follower.begin();
      this.#enter();
    }
  }

  get isSent(): boolean {
    return this.#inFlight?.isSent === true;
  }

  get pipeline(): PipelineContext {
    return this.segment.pipeline;
  }

  get level(): number {
    return this.#isWorking ? this.at - 1 : this.at;
  }

  limit(ms: number, onLimit: OnLimit): void {
    if (ms === Infinity) return;
    this.limits ??= new Limits(this);
    this.limits.add(this.level, ms, onLimit, this.ticks);
  }

  wait<T>(ms: number, work?: Promise<T>, abandon?: (reason: unknown) => void): Promise<T> {
    // A listener has aborted the call, or a limit further out has passed, before the wait began.
    if (this.level > this.endedAt) {
      if (abandon) notify(abandon, this.#endedBy);
      work?.catch(() => {});
      return Promise.reject(this.#endedBy);
    }
    this.#wait ??= new Wait();
    return this.#wait.begin(this.call.host.clock, ms, work, abandon);
  }

  recheck(): void {
    this.call.recheckCircuit?.();
    const { stages } = this.segment;
    for (let at = 0; at < this.at && at < stages.length; at++)
      if (this.memories[at] !== OUT) stages[at]?.recheck?.(this, this.memories[at]);
  }

  // A `DetachableRun`, which the policies that need one bring, does these three.
  respondEarly(_response: Response, _level: number): void {}
  abandon(_reason: unknown, _level: number): void {}
  protected worked(_at: number): void {}

  /** Whether what is inside a stage goes on without the caller. */
  protected goesOnAlone(_reason: unknown, _level: number): boolean {
    return false;
  }

  /** From the outside in. */
  #enter() {
    const { stages, options } = this.segment;
    const turn = this.#turn;
    this.now = this.call.host.clock.ticks();
    for (; this.at < stages.length; this.at++) {
      const stage = stages[this.at] as Stage;
      let memory: unknown = OUT;
      if (this.call.options[options[this.at] as string] !== false) {
        try {
          memory = stage.enter?.(this);
        } catch (error) {
          if (turn === this.#turn) this.reject(error);
          return;
        }
        if (isPromise(memory)) return this.#entering(stage, memory, turn);
        // A hook has aborted the call.
        if (turn !== this.#turn) return settle(stage, this, memory, 'failed', this.error);
      }
      if (this.response) return this.leave();
      this.memories[this.at] = memory;
    }
    this.#send();
  }

  /** A stage lets the run wait. What it has taken when that wait is over already is given back. */
  #entering(stage: Stage, entering: PromiseLike<unknown>, turn: number): void {
    this.limits?.arm();
    this.now = undefined;
    entering.then(
      (memory) => {
        if (turn !== this.#turn) return settle(stage, this, memory, 'failed', this.error);
        if (this.response) return this.leave();
        this.memories[this.at++] = memory;
        this.#enter();
      },
      (error) => {
        if (turn === this.#turn) this.reject(error);
      },
    );
  }

  #send(): void {
    this.limits?.arm(this.ticks);
    this.#turn++;
    this.now = undefined;
    this.ownsAttempt = true;
    this.#inFlight = new InFlight(this.segment.inside, this);
    this.#inFlight.start();
  }

  resolve(response: Response): void {
    this.response = response;
    this.leave();
  }

  reject(error: unknown): void {
    this.#become(error);
    this.leave();
  }

  /** From the inside out. */
  protected leave() {
    const { stages } = this.segment;
    const turn = this.#turn;
    this.now = this.call.host.clock.ticks();
    while (this.at > 0) {
      const at = --this.at;
      const stage = stages[at] as Stage;
      const memory = this.memories[at];
      this.limits?.leave(at);
      this.giveBack(at);
      if (memory === OUT) continue;
      let work: Leaving | undefined;
      if (!this.#isWorking) {
        const before = this.response;
        try {
          work = stage.leave?.(this, memory) as Leaving | undefined;
        } catch (error) {
          this.#become(error);
        }
        // A hook has aborted the call.
        if (turn !== this.#turn) return this.#settle(at, 'failed');
        if (before && before !== this.response && isGone(before)) this.#settleInside();
      }
      this.#isWorking = false;
      if (at <= this.endedAt) {
        if (typeof work === 'function') return this.#work(at, work);
      } else if (this.response || this.error !== this.#endedBy) {
        // Inside a limit that has passed nothing takes the place of its error.
        this.#become(this.#endedBy);
      }
      if (this.response) this.error = undefined;
      else this.#settle(at, 'failed');
    }
    this.#end();
  }

  #work(at: number, work: Leaving): void {
    this.#watch(at + 1);
    this.#isWorking = true;
    this.at++;
    this.limits?.arm();
    this.now = undefined;
    const turn = ++this.#turn;
    const go = (next: unknown) => {
      if (turn !== this.#turn) return;
      this.worked(at);
      if (next !== 'repeat') return this.leave();
      this.#isWorking = false;
      this.#inFlight = undefined;
      this.endedAt = Infinity;
      this.response = undefined;
      this.error = undefined;
      this.#enter();
    };
    let working: unknown;
    try {
      working = work();
    } catch (error) {
      working = Promise.reject(error);
    }
    Promise.resolve(working).then(go, (error) => {
      if (turn === this.#turn) this.reject(error);
    });
  }

  /** A failure takes the place of what there was. */
  #become(error: unknown): void {
    if (this.response) {
      dropBody(this.response);
      this.response = undefined;
      this.#settleInside();
    }
    this.error = error;
  }

  /** The caller has left, or the pipeline closes. */
  aborted(reason: unknown): void {
    this.abort(reason, OUTERMOST);
  }

  /** Ends the run down to a level. */
  abort(reason: unknown, level: number): void {
    if (level >= this.endedAt || this.goesOnAlone(reason, level)) return;
    this.endedAt = level;
    this.#endedBy = reason;
    this.#turn++;
    this.#inFlight?.abort(reason);
    this.#wait?.end(reason);
    this.reject(reason);
  }

  /** Ends the passage through a stage. */
  #settle(at: number, how: PassageOutcome, error: unknown = this.error): void {
    const memory = this.memories[at];
    this.memories[at] = OUT;
    settle(this.segment.stages[at] as Stage, this, memory, how, error);
  }

  /** The response on which the passages of the stages further in depended is gone. */
  #settleInside(): void {
    for (let at = this.memories.length - 1; at > this.level; at--) this.#settle(at, 'cancelled', undefined);
  }

  /** The passage of the stages from one inward ends with the body. */
  #watch(from: number): void {
    if (!this.response) return;
    const memories = from === 0 ? this.memories : this.memories.splice(from);
    const attempt = this.ownsAttempt ? this.#inFlight : undefined;
    this.response = watchPassages(this.response, this, this.segment, memories, from, attempt);
  }

  #end(): void {
    this.limits?.cancel();
    this.follower?.leave();
    this.now = undefined;
    this.#turn++;
    this.#watch(0);
    const { caller, response, error } = this;
    // This run is given to `settled` when the body has ended; until then it must not keep the response from being collected.
    this.response = undefined;
    this.caller = GONE;
    if (response) caller.resolve(response);
    else caller.reject(error);
  }
}

const isPromise = (value: unknown): value is PromiseLike<unknown> =>
  typeof (value as { then?: unknown } | undefined)?.then === 'function';
