import type { HoldfastEvent } from '../../core/events.ts';
import { notify } from '../../primitives/emitter.ts';
import { hashOf } from '../../primitives/hash.ts';
import { between } from '../../primitives/validate.ts';
import { severityOf } from './severity.ts';

export type Listener = (event: HoldfastEvent) => unknown;

/**
 * Several listeners as one for `onEvent`. If one throws or rejects, the call and the others go on.
 *
 * @example
 * const numbers = metrics();
 * const api = createClient({ onEvent: listeners(numbers.receive, jsonLines()) });
 */
export function listeners(...all: readonly Listener[]): (event: HoldfastEvent) => void {
  return (event) => {
    for (const listener of all) notify(listener, event);
  };
}

/**
 * Passes on a share of the calls, each with all of its events, and the unexpected events of every call.
 *
 * @param share From 0 to 1.
 *
 * @example
 * const fetch = createFetch({ onEvent: sampled(0.01, jsonLines()) });
 */
export function sampled(share: number, listener: Listener): Listener {
  between(0, 1)(share, 'sampled.share');
  return (event) => {
    if (severityOf(event) !== 'expected' || portion(idOf(event)) < share) return listener(event);
    return undefined;
  };
}

const idOf = (event: HoldfastEvent): string =>
  'callId' in event ? event.callId : 'id' in event ? event.id : event.type;

/** The same in [0, 1) for the same text. */
function portion(text: string): number {
  let hash = hashOf(text);
  // Its high bits hardly depend on the last characters, by which ids differ.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  return ((hash ^ (hash >>> 13)) >>> 0) / 2 ** 32;
}
