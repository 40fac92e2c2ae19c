import type { Host } from '../../core/contract.ts';
import { StorageError } from '../../core/errors.ts';
import { withDeadline } from '../../primitives/clock.ts';
import type { Bytes } from '../../primitives/units.ts';
import type { TokenStorage } from './settings.ts';
import { isTokens, type Tokens } from './tokens.ts';

/** How long a store may take, in ms; in some browsers an open never ends. */
const STORE_TIMEOUT = 10_000;

const utf8 = new TextEncoder();
const text = new TextDecoder();

/** The stored tokens of a user; `undefined` if they cannot be read. @throws the store's error. */
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
      // The key is unavailable, which says nothing about the tokens.
      if (error instanceof StorageError) throw error;
      return undefined;
    }
    return isTokens(found) ? found : undefined;
  };
  return withDeadline(STORE_TIMEOUT, { host }, read());
}

/** @param tokens `undefined` deletes them. @throws the store's error. */
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
  return withDeadline(STORE_TIMEOUT, { host }, write());
}

/** Encrypted records have hashed keys. */
async function keyOf(cipher: TokenStorage['encryption'], name: string, user: string): Promise<string> {
  const key = `${encodeURIComponent(name)} ${encodeURIComponent(user)}`;
  return `auth ${cipher ? await cipher.hashKey(key) : key}`;
}
