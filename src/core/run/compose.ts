import type { LazyRequest } from '../../primitives/request.ts';
import {
  type Call,
  type Handler,
  type PipelineContext,
  type Policy,
  type Receiver,
  traitsOf,
  type Wrapper,
} from '../contract.ts';
import type { Stage } from '../stage.ts';
import { Transport, transportHandler } from '../transport.ts';
import { type Segment, SegmentRun, segmentHandler } from './run.ts';

/** Begins a call at the outermost policy. */
export type Start = (outgoing: LazyRequest, call: Call, caller: Receiver) => void;

/** Policies in order, the outermost first: consecutive stages become a segment, and wrappers go around what is inside them. */
export function compose(given: readonly Policy[], transport: Transport, pipeline: PipelineContext): Start {
  const policies = given.flatMap((policy): readonly Policy[] => traitsOf(policy).stages ?? [policy]);
  let inside: Handler | Transport = transport;
  let end = policies.length;
  while (end > 0) {
    const policy = policies[end - 1] as Policy;
    if (typeof policy === 'function') {
      inside = bypassable(policy, asHandler(inside), pipeline);
      end--;
      continue;
    }
    const from = policies.findLastIndex((other, at) => at < end && typeof other === 'function') + 1;
    const segment = segmentOf(policies.slice(from, end) as Stage[], inside, pipeline);
    if (from === 0) return startOf(segment);
    inside = segmentHandler(segment);
    end = from;
  }
  if (inside instanceof Transport) return startOf(segmentOf([], inside, pipeline));
  const outermost = inside;
  return (outgoing, call, caller) => {
    try {
      outermost(outgoing.request, call).then(
        (response) => caller.resolve(response),
        (error) => caller.reject(error),
      );
    } catch (error) {
      // One that gave no promise.
      caller.reject(error);
    }
  };
}

const startOf =
  (segment: Segment): Start =>
  (outgoing, call, caller) =>
    new SegmentRun(segment, outgoing, call, caller).start();

const asHandler = (inside: Handler | Transport): Handler =>
  inside instanceof Transport ? transportHandler(inside) : inside;

function segmentOf(
  stages: readonly Stage[],
  inside: Handler | Transport,
  pipeline: PipelineContext,
): Segment {
  const options = stages.map((stage) => traitsOf(stage).option);
  stages.forEach((stage, at) => {
    if (!stage.attach) return;
    const rest = { stages: stages.slice(at + 1), options: options.slice(at + 1), inside, pipeline };
    stage.attach(pipeline, segmentHandler(rest));
  });
  return { stages, options, inside, pipeline };
}

/** A wrapper, and the way around it for calls that have it switched off. */
function bypassable(policy: Wrapper, next: Handler, pipeline: PipelineContext): Handler {
  const { option } = traitsOf(policy);
  const inside = policy(next, pipeline);
  return (request, call) => {
    if (call.options[option] === false) return next(request, call);
    try {
      return inside(request, call);
    } catch (error) {
      // Wrong options of the call, or a bug of a wrapper: further out, a promise is expected.
      return Promise.reject(error);
    }
  };
}
