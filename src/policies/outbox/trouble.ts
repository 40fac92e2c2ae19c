import type { Home } from '../../core/contract.ts';
import type { Store } from '../../core/store.ts';

/** A store that failed in the background: told, and tried again at the next occasion. */
export function onTrouble({ signal, emit }: Home, store: Store, operation: string, error: unknown): void {
  if (!signal.aborted) emit?.({ type: 'store-failed', store: store.name, operation, error });
}
