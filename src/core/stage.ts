import type { LazyRequest } from '../primitives/request.ts';
import type { BodyOutcome } from './body/body.ts';
import type { Call, Handler, PipelineContext } from './call.ts';

/** How a passage through a stage ended: as its body did, or `'failed'` if there was no response. */
export type PassageOutcome = BodyOutcome | 'failed';

/** Asked of a stage that has left: does everything inside it run once more? */
export type Leaving = () => Promise<'repeat' | undefined>;

/**
 * A policy that watches and decides. Consecutive stages are executed by one `Run`. A policy that runs what is inside it twice at once,
 * not at all, or later is a wrapper instead.
 *
 * @typeParam Memory What the stage remembers of one passage.
 */
export interface Stage<Memory = unknown> {
  /** For events and errors, and the key of the call's options: `false` there bypasses the stage. */
  readonly name: string;
  /** Before what is inside. It may wait, reject (throw), set a limit, or respond (`run.response = …`). */
  enter?(run: Run): Memory | Promise<Memory>;
  /**
   * Headers have come (`run.response`), or a failure (`run.error`); it may replace either. It returns work only if there is some:
   * work may wait, and the stages inside have been left before it begins.
   */
  // biome-ignore lint/suspicious/noConfusingVoidType: a hook that only looks returns nothing
  leave?(run: Run, memory: Memory): Leaving | undefined | void;
  /** At most once for each `enter`; exactly once with `ownsBody`. */
  settled?(run: Run, memory: Memory, how: PassageOutcome, error?: unknown): void;
  /** The stage depends on the end of the body, also if the platform reads it, or nothing does. */
  readonly ownsBody?: boolean;
  /** A stage further in let the run wait: throws what would be rejected now. */
  recheck?(run: Run, memory: Memory): void;
  /**
   * Asked when the caller leaves, or a limit further out passes: whether what is inside goes on, because others wait for it. Then it
   * has no caller, and ends by itself, with the pipeline or by `run.abandon`. Asked, too, when the stage has done its work: whether
   * others have a part of the body.
   */
  outlivesCaller?(run: Run, memory: Memory): boolean;
  /**
   * Called once for each pipeline that the stage becomes a part of.
   *
   * @param inside What is inside the stage, for requests of its own: probes, revalidation, sending.
   */
  attach?(pipeline: PipelineContext, inside: Handler): void;
}

/** @param ms The limit that has passed. */
export type OnLimit = (run: Run, ms: number) => unknown;

/**
 * One passage of a call through consecutive stages. The stage whose turn it is may write to it. A `call`, `request`, `origin` or
 * `deadline` that it puts in place holds for what is inside it; the stages further out find theirs again.
 */
export interface Run {
  /** The facts of the call. Never written to; a stage may put a derived one (`{ ...run.call, guard }`) in its place. */
  call: Call;
  readonly pipeline: PipelineContext;
  readonly url: string;
  readonly method: string;
  /** Made on first read; a stage that needs only `url` and `method` reads those. */
  request: Request;
  /** The same, and whether it was made. */
  readonly outgoing: LazyRequest;
  /** The key of circuits, slots and budgets; failover changes it. */
  origin: string;
  response: Response | undefined;
  error: unknown;
  /** From 1; written by the stage that repeats. */
  attempt: number;
  /** Whether the request of this attempt went out. */
  readonly isSent: boolean;
  /** The time, in ticks of the host's clock; read once for all hooks that run in one go. */
  readonly ticks: number;
  /** In ticks: the earliest limit on the whole of what is inside. `Infinity` if there is none. */
  deadline: number;
  /** Of the stage whose turn it is; 0 is the outermost. */
  readonly level: number;
  /**
   * Bounds what is inside the stage whose turn it is.
   *
   * @param onLimit Gives the error of a run that took longer; `undefined` lets it go on.
   */
  limit(ms: number, onLimit: OnLimit): void;
  /**
   * The one wait of a run: `ms`, or for `work`.
   *
   * @param abandon Called at once, with the reason, if the wait ends before `work` has.
   * @throws the reason if the caller, `close()` or a limit further out ends the run; a `DeadlineError` if work takes longer than `ms`.
   */
  wait(ms: number): Promise<void>;
  wait<T>(ms: number, work: Promise<T>, abandon?: (reason: unknown) => void): Promise<T>;
  /** Asks the stages further out whether the run would still be let in. @throws what one of them rejects it with. */
  recheck(): void;
  /**
   * The caller, and the stages further out, have this response. The stage itself and what is inside it go on without them, until
   * the pipeline is closed; the stage is left with what comes.
   *
   * @param level The `run.level` of the stage when it was entered.
   */
  respondEarly(response: Response, level: number): void;
  /**
   * Ends what is inside a stage, as a limit does: from the stage outward it is an ordinary failure.
   *
   * @param level The `run.level` of the stage when it was entered.
   */
  abandon(reason: unknown, level: number): void;
}

/** Gives a stage its type; `named` gives it its name. */
export const stage = <Memory = undefined>(hooks: Omit<Stage<Memory>, 'name'>): Stage =>
  ({ name: '', ...hooks }) as Stage;
