import type { Host } from '../../core/contract.ts';
import type { Store } from '../../core/store.ts';
import { isText, isTextOrAbsent, openChannel } from '../../primitives/broadcast.ts';
import { isTokens, type Tokens } from './tokens.ts';

/** What tabs and workers of an origin broadcast about a user's tokens. */
export interface TokenMessage {
  readonly user: string;
  /** Without a store: the consumed secret, by which tabs with the same session recognise the message. */
  readonly previous?: string | undefined;
  /** The new tokens; absent: signed out. With a store, the store has them. */
  readonly next?: Tokens | undefined;
}

export interface TokenChannel {
  post(word: TokenMessage): void;
  close(): void;
}

/** Connects the tabs with the same tokens; the memory of a server is not shared. */
export function openTokenChannel(
  name: string,
  store: Store | undefined,
  { canShareIO }: Host,
  onMessage: (word: TokenMessage) => void,
): TokenChannel | undefined {
  const isShared = store?.durable || 'document' in globalThis || 'WorkerGlobalScope' in globalThis;
  if (!isShared || !canShareIO) return undefined;
  const { post, close } = openChannel(`holdfast auth ${name}`, readMessage, onMessage);
  return { post, close };
}

function readMessage(posted: unknown): TokenMessage | undefined {
  const { user, previous: was, next: now } = (posted ?? {}) as Partial<TokenMessage>;
  if (!isText(user) || !isTextOrAbsent(was) || (now !== undefined && !isTokens(now))) return undefined;
  return { user, previous: was, next: now };
}
