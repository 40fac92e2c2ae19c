import type { Call } from '../../core/contract.ts';
import type { Held } from './copy.ts';

const HELD = Symbol('holdfast.cache.held');

type Asking = Call & { readonly [HELD]?: Held };

/** The call with the copy that it asks the origin about: on the call, because a `Request` may be used again by others. */
export const askingAbout = (held: Held | undefined, call: Call): Call =>
  held ? ({ ...call, [HELD]: held } as Asking) : call;

/** The copy that a call asks about, and the call without it: what is further in has nothing to do with it. */
export function askedAbout(call: Call): { readonly held: Held | undefined; readonly plain: Call } {
  const { [HELD]: held, ...plain } = call as Asking;
  return { held, plain: held ? plain : call };
}
