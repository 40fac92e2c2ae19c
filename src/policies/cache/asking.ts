import type { Call } from '../../core/contract.ts';
import type { Held } from './copy.ts';

/** What a call asks the origin, and for whom. */
export interface Question {
  /** The copy that the origin is asked about. */
  readonly held?: Held | undefined;
  /** Whether the caller has been given a copy by now. */
  readonly isGiven?: (() => boolean) | undefined;
}

const QUESTION = Symbol('holdfast.cache.question');

type Asking = Call & { readonly [QUESTION]?: Question };

/** The call with its question: on the call, because a `Request` may be used again by others. */
export const asking = (question: Question, call: Call): Call => ({ ...call, [QUESTION]: question }) as Asking;

/** The question of a call, and the call without it: what is further in has nothing to do with it. */
export function askedBy(call: Call): Question & { readonly plain: Call } {
  const { [QUESTION]: question, ...plain } = call as Asking;
  return { ...question, plain };
}
