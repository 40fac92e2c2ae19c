import { LazyRequest } from '../../primitives/request.ts';
import {
  type Call,
  type Compose,
  type Handler,
  type PipelineContext,
  type Policy,
  type Receiver,
  traitsOf,
  type Wrapper,
} from '../contract.ts';
import type { Stage } from '../stage.ts';
import { type Inside, Sending } from '../transport.ts';
import { segmentOf, separate, startOf } from './compose.ts';
import type { InFlight } from './in-flight.ts';
import type { RunCapabilities, Segment } from './segment.ts';

/**
 * For any policies: consecutive stages become a segment, and wrappers go around what is inside them. Stages are given a handler of
 * what is inside them.
 */
export const composeWrappers: Compose = (given, transport, pipeline, capabilities) => {
  const policies = separate(given);
  let inside = transport;
  let end = policies.length;
  while (end > 0) {
    const policy = policies[end - 1] as Policy;
    if (typeof policy === 'function') {
      inside = new Wrapped(bypassable(policy, handlerOf(inside), pipeline));
      end--;
      continue;
    }
    const from = policies.findLastIndex((other, at) => at < end && typeof other === 'function') + 1;
    const segment = segmentOf(policies.slice(from, end) as Stage[], inside, pipeline, capabilities);
    attach(segment);
    if (from === 0) return startOf(segment);
    inside = new Wrapped(segmentHandler(segment));
    end = from;
  }
  const outermost = inside;
  if (!(outermost instanceof Wrapped)) return startOf(segmentOf([], inside, pipeline, capabilities));
  return (outgoing, call, caller) => outermost.begin(outgoing.request, call, caller);
};

/** A handler, as what is inside a segment. */
class Wrapped implements Inside {
  readonly handler: Handler;

  constructor(handler: Handler) {
    this.handler = handler;
  }

  send(attempt: InFlight, to: Receiver): void {
    this.begin(attempt.run.request, derived(attempt), to);
  }

  begin(request: Request, call: Call, to: Receiver): void {
    try {
      this.handler(request, call).then(
        (response) => to.resolve(response),
        (error) => to.reject(error),
      );
    } catch (error) {
      // One that gave no promise.
      to.reject(error);
    }
  }
}

/** The call of an attempt, as a wrapper sees it. */
function derived(sent: InFlight): Call {
  const { call } = sent;
  return {
    ...call,
    signal: sent.signal,
    recheckCircuit: () => sent.run.recheck(),
    beforeSend: () => {
      call.beforeSend?.();
      sent.isSent = true;
    },
  };
}

const handlerOf = (inside: Inside): Handler =>
  inside instanceof Wrapped
    ? inside.handler
    : (request, call) =>
        new Promise((resolve, reject) => {
          const outgoing = new LazyRequest(request.url, request);
          inside.send(new Sending(call, outgoing, call.signal), {
            resolve,
            reject,
          });
        });

/** A handler that runs one stage around another handler. */
export const stageHandler = (
  stage: Stage,
  inside: Handler,
  pipeline: PipelineContext,
  capabilities: RunCapabilities,
): Handler =>
  segmentHandler({ stages: [stage], options: [''], inside: new Wrapped(inside), pipeline, capabilities });

/** What runs a segment inside of a wrapper. */
const segmentHandler = (segment: Segment): Handler => {
  const start = startOf(segment);
  return (request, call) =>
    new Promise((resolve, reject) => start(new LazyRequest(request.url, request), call, { resolve, reject }));
};

/** Gives each stage what is inside it. */
function attach({ stages, inside, pipeline, capabilities }: Segment): void {
  stages.forEach((stage, at) => {
    if (stage.attach)
      stage.attach(pipeline, segmentHandler(segmentOf(stages.slice(at + 1), inside, pipeline, capabilities)));
  });
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
