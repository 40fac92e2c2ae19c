import type { HoldfastEvent } from 'holdfast';

type Listener = (event: HoldfastEvent) => void;

const listeners: Listener[] = [];

/** What the client calls with everything that it decides. */
export function tell(event: HoldfastEvent): void {
  for (const listener of listeners) listener(event);
}

export function listen(listener: Listener): void {
  listeners.push(listener);
}
