import { withDeadline } from '../../core/clock.ts';
import type { Host } from '../../core/contract.ts';
import { StorageError } from '../../core/errors.ts';
import type { TokenStorage } from './settings.ts';
import { isTokens, type Tokens } from './tokens.ts';

/** How long a store may take, in ms; some browsers never answer an open. */
const PATIENCE = 10_000;

type Bytes = Uint8Array<ArrayBuffer>;
const utf8 = new TextEncoder();
const text = new TextDecoder();

/** What the store has of a user. What cannot be read as tokens is none. @throws what the store does. */
export function readTokens(
  { store, encryption, name }: TokenStorage,
  user: string,
  host: Host,
): Promise<Tokens | undefined> {
  const read = async (): Promise<Tokens | undefined> => {
    const key = await keyOf(encryption, name, user);
    const value = (await store?.get(key))?.value;
    let found = value;
    try {
      if (encryption) found = JSON.parse(text.decode(await encryption.decrypt(value as Bytes, key)));
    } catch (error) {
      // The key is not to be had just now, which says nothing of the tokens.
      if (error instanceof StorageError) throw error;
      return undefined;
    }
    return isTokens(found) ? found : undefined;
  };
  return withDeadline(PATIENCE, { host }, read());
}

/** @param tokens `undefined`: nothing is to be left of theirs. @throws what the store does. */
export function writeTokens(
  { store, encryption, name }: TokenStorage,
  user: string,
  tokens: Tokens | undefined,
  host: Host,
): Promise<void> {
  const write = async (): Promise<void> => {
    const key = await keyOf(encryption, name, user);
    if (!tokens) return store?.write([{ delete: key }]);
    const value = encryption
      ? await encryption.encrypt(utf8.encode(JSON.stringify(tokens)) as Bytes, key)
      : tokens;
    return store?.write([{ put: { key, value } }]);
  };
  return withDeadline(PATIENCE, { host }, write());
}

/** Where records are sealed, their keys tell nothing either. */
async function keyOf(codec: TokenStorage['encryption'], name: string, user: string): Promise<string> {
  const key = `${encodeURIComponent(name)} ${encodeURIComponent(user)}`;
  return `auth ${codec ? await codec.hashKey(key) : key}`;
}
