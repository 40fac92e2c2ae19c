import type { PipelineContext } from '../../core/contract.ts';
import type { Store } from '../../core/store.ts';

/** The part of `navigator.storage` that is used here; only pages have `persist`. */
interface StorageManager {
  persisted?(): Promise<boolean>;
  persist?(): Promise<boolean>;
}

/**
 * Asks the browser, once, to delete nothing of this site when the disk is full: after the first accepted write, when the
 * reason is obvious to the user (Firefox asks, other browsers decide by themselves).
 *
 * @see https://storage.spec.whatwg.org/#persistence
 */
export function persistence({ emit }: PipelineContext, store: Store, isWanted: boolean): () => void {
  let isAsked = !isWanted || !store.name.startsWith('indexeddb:');
  const ask = async (storage: StorageManager): Promise<void> => {
    if (await storage.persisted?.()) return;
    const granted = await storage.persist?.();
    if (granted !== undefined) emit?.({ type: 'storage-persistence', granted });
  };
  return () => {
    if (isAsked) return;
    isAsked = true;
    const { storage } = (globalThis.navigator ?? {}) as { storage?: StorageManager };
    // If the browser refuses, entries are kept as long as other data.
    if (storage) ask(storage).catch(() => {});
  };
}
