import { type Compose, type PipelineContext, type Policy, traitsOf } from '../contract.ts';
import type { Stage } from '../stage.ts';
import type { Inside } from '../transport.ts';
import { SegmentRun } from './run.ts';
import type { RunCapabilities, Segment, Start } from './segment.ts';

/**
 * For policies of which none is a wrapper: one segment. A stage that sends requests of its own brings `composeWrappers`, which gives
 * it a handler of what is inside it.
 */
export const composeStages: Compose = (policies, inside, pipeline, capabilities) => {
  const segment = segmentOf(separate(policies) as Stage[], inside, pipeline, capabilities);
  for (const each of segment.stages) each.attach?.(pipeline, NONE);
  return startOf(segment);
};

const NONE = undefined as never;

/** The policies, each of one stage or a wrapper. */
export const separate = (policies: readonly Policy[]): Policy[] =>
  policies.flatMap((policy): readonly Policy[] => traitsOf(policy).stages ?? [policy]);

/** Looks up once what each run of a segment needs. */
export const segmentOf = (
  stages: readonly Stage[],
  inside: Inside,
  pipeline: PipelineContext,
  capabilities: RunCapabilities,
): Segment => ({
  stages,
  options: stages.map((stage) => traitsOf(stage).option),
  inside,
  pipeline,
  capabilities,
});

/** @returns what begins a run of the segment. */
export function startOf(segment: Segment): Start {
  const { Run = SegmentRun } = segment.capabilities;
  return (outgoing, call, caller) => new Run(segment, outgoing, call, caller).start();
}
