import { isTextOrAbsent, openChannel } from '../../core/channel.ts';
import type { Host } from '../../core/contract.ts';
import type { Store } from '../../core/store.ts';

/** What tabs and workers of an origin tell each other of their copies. */
export interface Word {
  /**
   * `stored`: there is news; `changed`: look again; `doubted`: it may be wrong; `invalidated`: it is wrong; `forgot`: nothing asked for before `at`
   * counts any more.
   */
  readonly what: 'stored' | 'changed' | 'doubted' | 'invalidated' | 'forgot';
  /** Absent: of everybody. */
  readonly partition?: string | undefined;
  /** Absent: of all URLs. */
  readonly url?: string | undefined;
  /** Wall time in ms. */
  readonly at: number;
}

export interface Tabs {
  tell(word: Word): void;
  close(): void;
}

const WORDS: readonly unknown[] = ['stored', 'changed', 'doubted', 'invalidated', 'forgot'];

const ALONE: Tabs = { tell() {}, close() {} };

/** Those who use a store of one name tell each other; a server's memory is no other's business. */
export function tabs({ name, durable }: Store, { canShareIO }: Host, heard: (word: Word) => void): Tabs {
  const isShared = durable || 'document' in globalThis || 'WorkerGlobalScope' in globalThis;
  if (!isShared || !canShareIO) return ALONE;
  const channel = openChannel(`holdfast-cache ${name}`, readWord, heard);
  return {
    tell(word) {
      // What is in the memory of one tab the others have no use for; what is wrong is wrong in theirs, too.
      if (durable || ['forgot', 'invalidated', 'doubted'].includes(word.what)) channel.post(word);
    },
    close: channel.close,
  };
}

function readWord(posted: unknown): Word | undefined {
  const { what, partition, url, at } = (posted ?? {}) as Partial<Word>;
  if (!what || !WORDS.includes(what) || !isTextOrAbsent(partition) || !isTextOrAbsent(url)) return undefined;
  return typeof at === 'number' && Number.isFinite(at) ? { what, partition, url, at } : undefined;
}
