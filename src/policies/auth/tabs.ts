import { isText, isTextOrAbsent, openChannel } from '../../core/channel.ts';
import type { Host } from '../../core/contract.ts';
import type { Store } from '../../core/store.ts';
import { isTokens, type Tokens } from './tokens.ts';

/** What tabs and workers of an origin tell each other of a user's tokens. */
export interface Word {
  readonly user: string;
  /** Without a store, the secret that was used up, by which those who had it too know that they are meant. */
  readonly was?: string | undefined;
  /** What took its place; absent: nothing, they are signed out. With a store it is there. */
  readonly now?: Tokens | undefined;
}

export interface Tabs {
  tell(word: Word): void;
  close(): void;
}

/** Those who have the same tokens tell each other; the memory of a server is no other's business. */
export function tabs(
  name: string,
  store: Store | undefined,
  { canShareIO }: Host,
  heard: (word: Word) => void,
): Tabs | undefined {
  const isShared = store?.durable || 'document' in globalThis || 'WorkerGlobalScope' in globalThis;
  if (!isShared || !canShareIO) return undefined;
  const { post, close } = openChannel(`holdfast auth ${name}`, readWord, heard);
  return { tell: post, close };
}

function readWord(posted: unknown): Word | undefined {
  const { user, was, now } = (posted ?? {}) as Partial<Word>;
  if (!isText(user) || !isTextOrAbsent(was) || (now !== undefined && !isTokens(now))) return undefined;
  return { user, was, now };
}
