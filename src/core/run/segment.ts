import type { LazyRequest } from '../../primitives/request.ts';
import type { BodyWatcher } from '../body/body.ts';
import type { Call, PipelineContext, Receiver } from '../call.ts';
import type { Stage } from '../stage.ts';
import type { Inside } from '../transport.ts';

/** Consecutive stages, and what is inside the last one. */
export interface Segment {
  readonly stages: readonly Stage[];
  /** The key of the call's options of each stage. */
  readonly options: readonly string[];
  readonly inside: Inside;
  readonly pipeline: PipelineContext;
  readonly capabilities: RunCapabilities;
}

type RunConstructor = new (
  segment: Segment,
  outgoing: LazyRequest,
  call: Call,
  caller: Receiver,
) => { start(): void };

/** Begins a call at the outermost policy. */
export type Start = (outgoing: LazyRequest, call: Call, caller: Receiver) => void;

/** What a run can do besides, if a policy of its pipeline needs it. */
export interface RunCapabilities {
  /** Runs that go on when their caller has left. */
  readonly Run?: RunConstructor;
  /** A response of which the watcher sees the end, even if the platform reads it or it is collected unread. */
  readonly ownBody?: (response: Response, watcher: BodyWatcher) => Response;
}
