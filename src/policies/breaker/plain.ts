import type { Stage } from '../../core/stage.ts';
import { Circuits } from './circuits.ts';
import { type PlainBreakerOptions, readPlainBreakerOptions } from './plain-options.ts';
import { breakerHooks, breakerStage } from './stage.ts';

/** The breaker of a client that names none: what `breaker()` adds is not in the bundle. */
export function plainBreaker(options: PlainBreakerOptions = {}): Stage {
  const settings = readPlainBreakerOptions(options);
  return breakerStage(breakerHooks(settings, new Circuits(settings)));
}
