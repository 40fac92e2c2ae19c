import { BUILT_IN_POLICIES } from '../../src/core/call-options.ts';
import { isNamed, type Policy } from '../../src/core/contract.ts';
import {
  createPipeline,
  type HoldfastFetch,
  type PipelineOptions,
  pipeline,
} from '../../src/core/pipeline.ts';

const OURS: readonly string[] = [...BUILT_IN_POLICIES, 'totalTimeout', 'attemptTimeout'];

/** As `createFetch` makes it: built-in policies have the parts of the core that they bring, and no others. */
export const leanPipeline = (policies: readonly Policy[], options: PipelineOptions = {}): HoldfastFetch =>
  policies.length > 0 && policies.every((policy) => isNamed(policy) && OURS.includes(policy.name))
    ? createPipeline(policies, options, {})
    : pipeline(policies, options);
