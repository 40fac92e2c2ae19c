import { type Handler, type Home, type Policy, traitsOf, type Wrapper } from './contract.ts';
import { segmentHandler } from './run.ts';
import type { Stage } from './stage.ts';

/** Policies in order, the outermost first: consecutive stages become a segment, and wrappers go around what is inside them. */
export function compose(policies: readonly Policy[], transport: Handler, home: Home): Handler {
  let inside = transport;
  for (let end = policies.length; end > 0; ) {
    const policy = policies[end - 1] as Policy;
    if (typeof policy === 'function') {
      inside = bypassable(policy, inside, home);
      end--;
      continue;
    }
    const stages: Stage[] = [];
    for (; end > 0 && typeof policies[end - 1] === 'object'; end--)
      stages.unshift(policies[end - 1] as Stage);
    inside = segment(stages, inside, home);
  }
  return inside;
}

function segment(stages: readonly Stage[], inside: Handler, home: Home): Handler {
  const options = stages.map((stage) => traitsOf(stage).option);
  stages.forEach((stage, at) => {
    const rest = { stages: stages.slice(at + 1), options: options.slice(at + 1), inside, home };
    stage.attach?.(home, rest.stages.length > 0 ? segmentHandler(rest) : inside);
  });
  return segmentHandler({ stages, options, inside, home });
}

/** A wrapper, and the way around it for calls that have it switched off. */
function bypassable(policy: Wrapper, next: Handler, home: Home): Handler {
  const { option } = traitsOf(policy);
  const inside = policy(next, home);
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
