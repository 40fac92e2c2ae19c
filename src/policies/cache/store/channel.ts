import type { Host } from '../../../core/contract.ts';
import type { Store } from '../../../core/store.ts';
import { type Channel, isTextOrAbsent, openChannel } from '../../../primitives/broadcast.ts';

/** A message about cached responses between tabs and workers of an origin. */
export interface CacheMessage {
  /**
   * `stored`: a newer response; `changed`: read again; `doubted`: it may be outdated; `invalidated`: it is outdated; `forgot`:
   * responses requested before `at` are deleted.
   */
  readonly what: 'stored' | 'changed' | 'doubted' | 'invalidated' | 'forgot';
  /** Absent: all partitions. */
  readonly partition?: string | undefined;
  /** Absent: all URLs. */
  readonly url?: string | undefined;
  /** Wall time in ms. */
  readonly at: number;
}

const MESSAGES: readonly unknown[] = ['stored', 'changed', 'doubted', 'invalidated', 'forgot'];

/** Connects the tabs that use a store of one name; the memory of a server is not shared. */
export function openCacheChannel(
  { name, durable }: Store,
  { canShareIO }: Host,
  onMessage: (message: CacheMessage) => void,
): Channel | undefined {
  const isShared = durable || 'document' in globalThis || 'WorkerGlobalScope' in globalThis;
  if (!isShared || !canShareIO) return undefined;
  const channel = openChannel(`holdfast-cache ${name}`, readMessage, onMessage);
  return {
    post(message: CacheMessage) {
      // Stores in memory have no common responses; but a deletion or an invalidation holds for all tabs.
      if (durable || ['forgot', 'invalidated', 'doubted'].includes(message.what)) channel.post(message);
    },
    close: channel.close,
  };
}

function readMessage(posted: unknown): CacheMessage | undefined {
  const { what, partition, url, at } = (posted ?? {}) as Partial<CacheMessage>;
  if (!what || !MESSAGES.includes(what) || !isTextOrAbsent(partition) || !isTextOrAbsent(url))
    return undefined;
  return typeof at === 'number' && Number.isFinite(at) ? { what, partition, url, at } : undefined;
}
