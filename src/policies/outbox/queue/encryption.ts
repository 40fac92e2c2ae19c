import type { Host } from '../../../core/contract.ts';
import { StorageError } from '../../../core/errors.ts';
import type { Cipher, StoredBody } from '../../../core/store.ts';
import { DeadlineError, withDeadline } from '../../../primitives/clock.ts';
import type { Bytes } from '../../../primitives/units.ts';
import { STORE_TIMEOUT } from '../options.ts';
import type { OutboxEntry, Reason, StoredResult } from './entry.ts';

/** The fields with a write's content. */
const CONTENT = ['request', 'options', 'meta', 'fingerprint'] as const;
type Content = Pick<OutboxEntry, (typeof CONTENT)[number]>;

/** A stored entry: plain, or with its content encrypted. The fields that the queue decides by are never encrypted. */
export type EntryRecord = Omit<OutboxEntry, keyof Content | 'reason'> &
  Partial<Content> & {
    readonly reason?: Reason | undefined;
    readonly encrypted?: Bytes;
    readonly encryptedReason?: Bytes | undefined;
  };

/** A stored result, with its partition. */
export type ResultRecord = StoredResult & { readonly partition: string; readonly encrypted?: Bytes };

/** A stored result with its body. */
export interface EncryptedResult {
  readonly result: ResultRecord;
  readonly body: StoredBody | undefined;
}

/** A result with its body. */
export interface ResultWithBody {
  readonly result: StoredResult;
  readonly body: StoredBody | undefined;
}

export type ReasonFields = Pick<EntryRecord, 'reason' | 'encryptedReason'>;

/** The reason without details, if the full one cannot be written. */
export const codeOnly = ({ code }: Reason): ReasonFields => ({
  reason: { code },
  encryptedReason: undefined,
});

const utf8 = new TextEncoder();
const text = new TextDecoder();

/** Encrypts records and decrypts them, if the application wants it. */
export class RecordEncryption {
  readonly #cipher: Cipher | undefined;

  constructor(cipher: Cipher | undefined) {
    this.#cipher = cipher;
  }

  async encryptEntry(entry: OutboxEntry): Promise<EntryRecord> {
    if (!this.#cipher) return entry;
    const { request, options, meta, fingerprint, reason, ...clear } = entry;
    const encrypted = await this.#encrypt({ request, options, meta, fingerprint }, contentContext(entry));
    return { ...clear, encrypted, ...(await this.encryptReason(entry, reason)) };
  }

  /** The fields of an entry with its reason; its code alone if it cannot be encrypted. */
  async encryptReason(entry: CipherSubject, reason: Reason | undefined): Promise<ReasonFields> {
    if (!this.#cipher || reason === undefined) return { reason };
    try {
      return { reason: undefined, encryptedReason: await this.#encrypt(reason, reasonContext(entry)) };
    } catch {
      // The transition matters more than the details.
      return codeOnly(reason);
    }
  }

  /** The fields that say which write an id belongs to. */
  async encryptFingerprint(
    entry: CipherSubject,
    fingerprint: string | undefined,
  ): Promise<FingerprintFields> {
    if (!this.#cipher || fingerprint === undefined)
      return { ...(fingerprint !== undefined && { fingerprint }) };
    return { encrypted: await this.#encrypt(fingerprint, idContext(entry)) };
  }

  /** @returns `undefined` if it cannot be decrypted. */
  async decryptFingerprint({
    fingerprint,
    encrypted,
    ...entry
  }: FingerprintFields & CipherSubject): Promise<string | undefined> {
    if (!encrypted) return fingerprint;
    try {
      return await this.#decrypt<string>(encrypted, idContext(entry));
    } catch (error) {
      if (error instanceof StorageError) throw error;
      return undefined;
    }
  }

  /** The entry; without its content if that cannot be decrypted: enough to remove it. */
  async decryptIfPossible(record: EntryRecord): Promise<OutboxEntry> {
    return this.decryptEntry(record).catch(() => withoutContent(record));
  }

  /** An entry that cannot be decrypted is listed as unreadable, so that none disappears. */
  async decryptEntry(record: EntryRecord): Promise<OutboxEntry> {
    const { encrypted, encryptedReason, ...clear } = record;
    if (!encrypted) return clear as OutboxEntry;
    try {
      const content = await this.#decrypt<Content>(encrypted, contentContext(record));
      const reason = encryptedReason && (await this.#decryptReason(encryptedReason, record));
      return { ...clear, ...content, ...(reason && { reason }) } as OutboxEntry;
    } catch (error) {
      // The key may be available the next time.
      if (error instanceof StorageError) throw error;
      return withoutContent(record);
    }
  }

  /** A reason that another key has encrypted, such as that of a start with a wrong key, does not hide the entry. */
  async #decryptReason(encrypted: Bytes, record: EntryRecord): Promise<Reason> {
    try {
      return await this.#decrypt<Reason>(encrypted, reasonContext(record));
    } catch (error) {
      if (error instanceof StorageError) throw error;
      return { code: 'unreadable' };
    }
  }

  /** A result that cannot be encrypted is stored without its response. */
  async encryptResult(entry: CipherSubject, { result, body }: ResultWithBody): Promise<EncryptedResult> {
    const { partition } = entry;
    if (!this.#cipher) return { result: { ...result, partition }, body };
    const { response, reason, ...clear } = result;
    try {
      const [encrypted, encryptedBody] = await Promise.all([
        this.#encrypt({ response, reason }, resultContext(entry)),
        body && this.encryptBody(body, resultContext(entry)),
      ]);
      return { result: { ...clear, partition, encrypted }, body: encryptedBody };
    } catch {
      const bare = { ...clear, partition, ...(reason && { reason: { code: reason.code } }) };
      return { result: bare, body: undefined };
    }
  }

  /** @throws if it cannot be decrypted. */
  async decryptResult(key: string, { encrypted, ...result }: ResultRecord): Promise<StoredResult> {
    if (!encrypted) return result;
    const { partition } = result;
    return { ...result, ...(await this.#decrypt<object>(encrypted, resultContext({ key, partition }))) };
  }

  async encryptBody(body: StoredBody, context: string): Promise<StoredBody> {
    if (!this.#cipher) return body;
    const plain = body instanceof Uint8Array ? body : new Uint8Array(await new Blob([body]).arrayBuffer());
    return this.#cipher.encrypt(plain, `${context} body`);
  }

  /** @throws if it cannot be decrypted. */
  async decryptBody(body: StoredBody, context: string, isEncrypted: boolean): Promise<StoredBody> {
    if (!isEncrypted) return body;
    if (!this.#cipher || !(body instanceof Uint8Array))
      throw new Error('cannot decrypt: no encryption key configured');
    return this.#cipher.decrypt(body, `${context} body`);
  }

  #encrypt(value: unknown, context: string): Promise<Bytes> {
    return (this.#cipher as Cipher).encrypt(utf8.encode(JSON.stringify(value)) as Bytes, context);
  }

  async #decrypt<T>(encrypted: Bytes, context: string): Promise<T> {
    if (!this.#cipher) throw new Error('cannot decrypt: no encryption key configured');
    return JSON.parse(text.decode(await this.#cipher.decrypt(encrypted, context)));
  }
}

type CipherSubject = Pick<OutboxEntry, 'cipherContext' | 'partition' | 'key'>;

/** The stored fingerprint of a write. */
type FingerprintFields = { readonly fingerprint?: string; readonly encrypted?: Bytes };

/** The stored owner of an id: nothing of the write itself. */
export type IdRecord = CipherSubject & Pick<OutboxEntry, 'lane' | 'origin'> & FingerprintFields;

const withoutContent = ({ encrypted: _, encryptedReason: __, ...clear }: EntryRecord): OutboxEntry =>
  ({ ...clear, ...UNREADABLE }) as OutboxEntry;

/** The context that a write and its body are encrypted with. Not the entry's key, which is made only in the commit. */
export const contentContext = ({
  cipherContext,
  partition,
}: Pick<CipherSubject, 'cipherContext' | 'partition'>): string =>
  `outbox ${encodeURIComponent(partition)} ${cipherContext}`;
const reasonContext = (entry: CipherSubject): string => `${contentContext(entry)} reason`;
const idContext = (entry: CipherSubject): string => `${contentContext(entry)} id`;

/** The context that a result and its body are encrypted with. */
export const resultContext = ({ partition, key }: Pick<CipherSubject, 'partition' | 'key'>): string =>
  `outbox answer ${encodeURIComponent(partition)} ${key}`;

const UNREADABLE = {
  unreadable: true,
  request: {
    url: '',
    method: '',
    headers: [],
    credentials: 'same-origin',
    mode: 'cors',
    redirect: 'follow',
    referrerPolicy: '',
  },
  options: {},
  reason: { code: 'unreadable', message: 'it was encrypted with another key' },
} as const;

/** How long a cipher may take, in ms: the fallback must still fit into the store's timeout. */
const CIPHER_TIMEOUT = STORE_TIMEOUT / 2;

/** The same while an earlier operation hangs. */
const SHORT_CIPHER_TIMEOUT = CIPHER_TIMEOUT / 10;

/** A cipher may wait for a database that never responds. @returns a cipher that then fails as if its key were unavailable. */
export function withCipherTimeout(cipher: Cipher, host: Host): Cipher {
  let pending = 0;
  const withTimeout = async <T>(work: Promise<T>): Promise<T> => {
    const timeout = pending > 0 ? SHORT_CIPHER_TIMEOUT : CIPHER_TIMEOUT;
    try {
      return await withDeadline(timeout, { host }, work);
    } catch (cause) {
      if (!(cause instanceof DeadlineError)) throw cause;
      pending++;
      const arrived = (): void => void pending--;
      work.then(arrived, arrived);
      throw new StorageError(`the cipher did not respond within ${timeout} ms`, { cause });
    }
  };
  return {
    encrypt: (plain, context) => withTimeout(cipher.encrypt(plain, context)),
    decrypt: (encrypted, context) => withTimeout(cipher.decrypt(encrypted, context)),
    hashKey: (text) => withTimeout(cipher.hashKey(text)),
  };
}
