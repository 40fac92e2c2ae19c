import type { Host } from '../../../core/contract.ts';
import { respondWithin } from '../../../core/deadlines.ts';
import { StorageError } from '../../../core/errors.ts';
import type { Cipher, StoredBody } from '../../../core/store.ts';
import type { Bytes } from '../../../primitives/units.ts';
import type { EntryWithBody, OutboxEntry, Reason, ResultWithBody } from './entry.ts';
import {
  type CipherSubject,
  type Content,
  codeOnly,
  type EntryRecord,
  type FingerprintFields,
  type IdRecord,
  type ReasonFields,
  type ResultRecord,
} from './records.ts';

const utf8 = new TextEncoder();
const text = new TextDecoder();

/** Encrypts records and decrypts them, if the application wants it. */
export class RecordEncryption {
  readonly #cipher: Cipher | undefined;

  constructor(cipher: Cipher | undefined) {
    this.#cipher = cipher;
  }

  /** @param unique The context of an entry that has none: a new one, or one from before `encryption` was switched on. */
  async encryptEntry(
    entry: OutboxEntry,
    body: StoredBody | undefined,
    unique: string,
  ): Promise<{ readonly record: EntryRecord; readonly body: StoredBody | undefined }> {
    if (!this.#cipher) return { record: entry, body };
    const { cipherContext = unique } = entry;
    const { request, options, meta, fingerprint, reason, ...clear } = { ...entry, cipherContext };
    const context = contentContext(clear);
    const encrypted = await this.#encrypt({ request, options, meta, fingerprint }, context);
    const record = { ...clear, encrypted, ...(await this.encryptReason(clear, reason)) };
    return { record, body: await this.#encryptBody(body, context) };
  }

  /** An entry that cannot be decrypted is listed as unreadable, so that none disappears. */
  async decryptEntry(record: EntryRecord): Promise<OutboxEntry> {
    const { encrypted, encryptedReason, ...clear } = record;
    const context = contentContext(record);
    // An entry that was accepted before `encryption` was switched on may have an encrypted reason all the same.
    const content = encrypted
      ? await this.#decryptOr<Content | undefined>(undefined, encrypted, context)
      : {};
    if (!content) return withoutContent(record);
    // A reason that another key has encrypted, such as that of a start with a wrong key, does not hide the entry.
    const reason =
      encryptedReason &&
      (await this.#decryptOr<Reason>({ code: 'unreadable' }, encryptedReason, reasonContext(record)));
    return { ...clear, ...content, ...(reason && { reason }) } as OutboxEntry;
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
    if (fingerprint === undefined) return {};
    return this.#cipher ? { encrypted: await this.#encrypt(fingerprint, idContext(entry)) } : { fingerprint };
  }

  /** @returns `undefined` if it cannot be decrypted. */
  async decryptFingerprint({ fingerprint, encrypted, ...entry }: IdRecord): Promise<string | undefined> {
    return encrypted
      ? this.#decryptOr<string | undefined>(undefined, encrypted, idContext(entry))
      : fingerprint;
  }

  /** The body of an entry. @throws if it cannot be decrypted. */
  decryptBody({ entry, body }: EntryWithBody): Promise<StoredBody | undefined> {
    return this.#decryptBody(body, contentContext(entry), entry.cipherContext !== undefined);
  }

  /** A result that cannot be encrypted is stored without its response. */
  async encryptResult(
    entry: CipherSubject,
    { result, body }: ResultWithBody,
  ): Promise<{ readonly result: ResultRecord; readonly body: StoredBody | undefined }> {
    const { partition } = entry;
    if (!this.#cipher) return { result: { ...result, partition }, body };
    const { response, reason, ...clear } = result;
    try {
      const [encrypted, encryptedBody] = await Promise.all([
        this.#encrypt({ response, reason }, resultContext(entry)),
        this.#encryptBody(body, resultContext(entry)),
      ]);
      return { result: { ...clear, partition, encrypted }, body: encryptedBody };
    } catch {
      const bare = { ...clear, partition, ...(reason && { reason: { code: reason.code } }) };
      return { result: bare, body: undefined };
    }
  }

  /** @throws if it cannot be decrypted. */
  async decryptResult(
    key: string,
    { encrypted, ...result }: ResultRecord,
    body: StoredBody | undefined,
  ): Promise<ResultWithBody> {
    if (!encrypted) return { result, body };
    const context = resultContext({ key, partition: result.partition });
    const content = await this.#decrypt<object>(encrypted, context);
    return { result: { ...result, ...content }, body: await this.#decryptBody(body, context, true) };
  }

  async #encryptBody(body: StoredBody | undefined, context: string): Promise<StoredBody | undefined> {
    if (!this.#cipher || body === undefined) return body;
    const plain = body instanceof Uint8Array ? body : new Uint8Array(await new Blob([body]).arrayBuffer());
    return this.#cipher.encrypt(plain, `${context} body`);
  }

  async #decryptBody(
    body: StoredBody | undefined,
    context: string,
    isEncrypted: boolean,
  ): Promise<StoredBody | undefined> {
    if (!isEncrypted || body === undefined) return body;
    if (!this.#cipher || !(body instanceof Uint8Array)) throw noKey();
    return this.#cipher.decrypt(body, `${context} body`);
  }

  #encrypt(value: unknown, context: string): Promise<Bytes> {
    return (this.#cipher as Cipher).encrypt(utf8.encode(JSON.stringify(value)) as Bytes, context);
  }

  async #decrypt<T>(encrypted: Bytes, context: string): Promise<T> {
    if (!this.#cipher) throw noKey();
    return JSON.parse(text.decode(await this.#cipher.decrypt(encrypted, context)));
  }

  /** @throws {StorageError} if the key is unavailable just now: it may be available the next time. */
  async #decryptOr<T>(otherwise: T, encrypted: Bytes, context: string): Promise<T> {
    try {
      return await this.#decrypt<T>(encrypted, context);
    } catch (error) {
      if (error instanceof StorageError) throw error;
      return otherwise;
    }
  }
}

const noKey = (): Error => new Error('cannot decrypt: no encryption key configured');

/** An entry whose content cannot be decrypted: enough to list and remove it. */
export const withoutContent = ({ encrypted: _, encryptedReason: __, ...clear }: EntryRecord): OutboxEntry =>
  ({ ...clear, ...UNREADABLE }) as OutboxEntry;

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

/** The context that a write and its body are encrypted with. Not the entry's key, which is made only in the commit. */
export const contentContext = ({
  cipherContext,
  partition,
}: Pick<CipherSubject, 'cipherContext' | 'partition'>): string =>
  `outbox ${encodeURIComponent(partition)} ${cipherContext}`;
const reasonContext = (entry: CipherSubject): string => `${contentContext(entry)} reason`;
const idContext = (entry: CipherSubject): string => `${contentContext(entry)} id`;

/** The context that a result and its body are encrypted with. */
const resultContext = ({ partition, key }: Pick<CipherSubject, 'partition' | 'key'>): string =>
  `outbox answer ${encodeURIComponent(partition)} ${key}`;

/** How long a cipher may take, in ms. */
const CIPHER_TIMEOUT = 5_000;

/** A cipher may wait for a database that never responds. @returns a cipher that then fails as if its key were unavailable. */
export function withCipherTimeout(cipher: Cipher, host: Host): Cipher {
  const bounded = <T>(work: Promise<T>): Promise<T> =>
    respondWithin(CIPHER_TIMEOUT, 'the cipher', host, work);
  return {
    encrypt: (plain, context) => bounded(cipher.encrypt(plain, context)),
    decrypt: (encrypted, context) => bounded(cipher.decrypt(encrypted, context)),
    hashKey: (text) => bounded(cipher.hashKey(text)),
  };
}
