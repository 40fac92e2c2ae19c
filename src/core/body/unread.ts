import { mayShareTimers, systemClock } from '../../primitives/clock.ts';

/** How long a body may stay unread before it is registered, in ms: most are read by then. */
const MOMENT = 20;

interface Abandonable {
  /** What was watched has been collected. */
  abandoned(): void;
}

// Missing where weak references are switched off; then only a body that is never read keeps what it holds.
const registry =
  typeof FinalizationRegistry === 'function'
    ? new FinalizationRegistry<Abandonable>((body) => body.abandoned())
    : undefined;

/** What lives exactly as long as a body may be read, of the bodies that came a moment ago. */
const recent = new Map<Abandonable, object>();
let isWaiting = false;

/**
 * Calls `body.abandoned()` when `target` has been collected. A registration keeps its target over small collections of garbage, so
 * only a body that has not settled after a moment gets one.
 */
export function onAbandoned(target: object, body: Abandonable): void {
  if (!mayShareTimers()) {
    registry?.register(target, body);
    return;
  }
  recent.set(body, target);
  if (isWaiting) return;
  isWaiting = true;
  systemClock.after(MOMENT, registerRecent, { background: true });
}

/** The body has settled. */
export const noteSettled = (body: Abandonable): boolean => recent.delete(body);

function registerRecent(): void {
  isWaiting = false;
  for (const [body, target] of recent) registry?.register(target, body);
  recent.clear();
}
