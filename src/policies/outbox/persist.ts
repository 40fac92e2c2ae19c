import type { PipelineContext } from '../../core/contract.ts';
import type { Store } from '../../core/store.ts';

/** What is used of `navigator.storage`; only pages have `persist`. */
interface StorageManager {
  persisted?(): Promise<boolean>;
  persist?(): Promise<boolean>;
}

/**
 * Asks the browser, once, to delete nothing of this site when the disk is full: after the first accepted write, when a user
 * who is asked knows why (Firefox asks, other browsers decide by themselves).
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
    // A browser that refuses to say keeps the entries as long as it keeps those of others.
    if (storage) ask(storage).catch(() => {});
  };
}
