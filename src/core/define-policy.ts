import { Background } from '../primitives/background.ts';
import { ownBody } from './body/watched-response.ts';
import { type Capabilities, named, type Policy, type Wrapper } from './contract.ts';
import { composeWrappers } from './run/compose-wrappers.ts';
import { DetachableRun } from './run/detachable-run.ts';
import { type Stage, stage } from './stage.ts';
import { usersOf } from './user.ts';

/** For policies of which nothing is known. */
export const EVERYTHING: Capabilities = {
  compose: composeWrappers,
  users: usersOf,
  Background,
  Run: DetachableRun,
  ownBody,
};

/**
 * Makes a policy of your own. Policies of yours and built-in ones go into one array: `pipeline([mine, ...standard()])`.
 *
 * @param name For events and errors; a call bypasses the policy with `holdfast: { [name]: false }`.
 * @param policy A stage's hooks, which watch and decide, or a wrapper, which runs what is inside it more than once, not at all, or
 *   later. State that outlives a call belongs into the closure around it.
 * @typeParam Memory What the stage remembers of one passage: given by `enter` to the other hooks.
 *
 * @example
 * const language = definePolicy('language', {
 *   enter(run) {
 *     run.request = new Request(run.request, { headers: { 'accept-language': 'de' } });
 *   },
 * });
 * const fetch = pipeline([language, ...standard()]);
 */
export function definePolicy<Memory = undefined>(
  name: string,
  policy: Wrapper | Omit<Stage<Memory>, 'name'>,
): Policy {
  return named(name, typeof policy === 'function' ? policy : stage(policy), {
    switchOnly: true,
    brings: EVERYTHING,
  });
}
