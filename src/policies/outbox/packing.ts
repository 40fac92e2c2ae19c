import type { Cipher } from '../../core/codec.ts';
import { StorageError } from '../../core/errors.ts';
import type { StoredBody } from '../../core/store.ts';
import type { OutboxEntry, Reason, StoredResult } from './entry.ts';

type Bytes = Uint8Array<ArrayBuffer>;

/** What says something of a write's content. */
const CONTENT = ['request', 'options', 'meta', 'fingerprint'] as const;
type Content = Pick<OutboxEntry, (typeof CONTENT)[number]>;

/** An entry as it is written: as it is, or with its content sealed. What the queue decides by stands in the clear. */
export type Row = Omit<OutboxEntry, keyof Content | 'reason'> &
  Partial<Content> & {
    readonly reason?: Reason | undefined;
    readonly sealed?: Bytes;
    readonly sealedReason?: Bytes | undefined;
  };

/** An answer as it is written, with whose it is. */
export type ResultRow = StoredResult & { readonly partition: string; readonly sealed?: Bytes };

/** An answer as it is written, with its body. */
export interface PackedAnswer {
  readonly result: ResultRow;
  readonly body: StoredBody | undefined;
}

/** An answer with its body. */
export interface Answer {
  readonly result: StoredResult;
  readonly body: StoredBody | undefined;
}

export type Reasoned = Pick<Row, 'reason' | 'sealedReason'>;

/** A reason that cannot be written as it is. */
export const codeAlone = ({ code }: Reason): Reasoned => ({ reason: { code }, sealedReason: undefined });

const utf8 = new TextEncoder();
const text = new TextDecoder();

/** Seals what is written, and opens it, where the application wants it. */
export class Packing {
  readonly #codec: Cipher | undefined;

  constructor(codec: Cipher | undefined) {
    this.#codec = codec;
  }

  async entry(entry: OutboxEntry): Promise<Row> {
    if (!this.#codec) return entry;
    const { request, options, meta, fingerprint, reason, ...clear } = entry;
    const sealed = await this.#sealed({ request, options, meta, fingerprint }, contentOf(entry));
    return { ...clear, sealed, ...(await this.reason(entry, reason)) };
  }

  /** Changes of an entry that say why it was not delivered: where that cannot be sealed, only of what kind it was. */
  async reason(entry: Named, reason: Reason | undefined): Promise<Reasoned> {
    if (!this.#codec || reason === undefined) return { reason };
    try {
      return { reason: undefined, sealedReason: await this.#sealed(reason, why(entry)) };
    } catch {
      // What has happened to the write matters more.
      return codeAlone(reason);
    }
  }

  /** What says which write an id belongs to. */
  async print(entry: Named, fingerprint: string | undefined): Promise<Printed> {
    if (!this.#codec || fingerprint === undefined)
      return { ...(fingerprint !== undefined && { fingerprint }) };
    return { sealed: await this.#sealed(fingerprint, named(entry)) };
  }

  /** @returns `undefined` where it cannot be opened. */
  async openedPrint({ fingerprint, sealed, ...entry }: Printed & Named): Promise<string | undefined> {
    if (!sealed) return fingerprint;
    try {
      return await this.#opened<string>(sealed, named(entry));
    } catch (error) {
      if (error instanceof StorageError) throw error;
      return undefined;
    }
  }

  /** An entry as it is, if it cannot be opened without what that says: for whoever only takes it out. */
  async asItIs(row: Row): Promise<OutboxEntry> {
    return this.opened(row).catch(() => unopened(row));
  }

  /** What cannot be opened is listed all the same, so that nothing disappears. */
  async opened(row: Row): Promise<OutboxEntry> {
    const { sealed, sealedReason, ...clear } = row;
    if (!sealed) return clear as OutboxEntry;
    try {
      const content = await this.#opened<Content>(sealed, contentOf(row));
      const reason = sealedReason && (await this.#openedReason(sealedReason, row));
      return { ...clear, ...content, ...(reason && { reason }) } as OutboxEntry;
    } catch (error) {
      // The key may be there the next time.
      if (error instanceof StorageError) throw error;
      return unopened(row);
    }
  }

  /** A reason that another key has encrypted, such as that of a start with a wrong key, does not hide the entry. */
  async #openedReason(sealed: Bytes, row: Row): Promise<Reason> {
    try {
      return await this.#opened<Reason>(sealed, why(row));
    } catch (error) {
      if (error instanceof StorageError) throw error;
      return { code: 'unreadable' };
    }
  }

  /** Where an answer cannot be sealed it is kept that there was one. */
  async answer(entry: Named, { result, body }: Answer): Promise<PackedAnswer> {
    const { partition } = entry;
    if (!this.#codec) return { result: { ...result, partition }, body };
    const { response, reason, ...clear } = result;
    try {
      const [sealed, packed] = await Promise.all([
        this.#sealed({ response, reason }, answerTo(entry)),
        body && this.body(body, answerTo(entry)),
      ]);
      return { result: { ...clear, partition, sealed }, body: packed };
    } catch {
      const bare = { ...clear, partition, ...(reason && { reason: { code: reason.code } }) };
      return { result: bare, body: undefined };
    }
  }

  /** @throws where it cannot be opened. */
  async openedResult(key: string, { sealed, ...result }: ResultRow): Promise<StoredResult> {
    if (!sealed) return result;
    const { partition } = result;
    return { ...result, ...(await this.#opened<object>(sealed, answerTo({ key, partition }))) };
  }

  async body(body: StoredBody, context: string): Promise<StoredBody> {
    if (!this.#codec) return body;
    const plain = body instanceof Uint8Array ? body : new Uint8Array(await new Blob([body]).arrayBuffer());
    return this.#codec.encrypt(plain, `${context} body`);
  }

  /** @throws where it cannot be opened. */
  async openedBody(body: StoredBody, context: string, isSealed: boolean): Promise<StoredBody> {
    if (!isSealed) return body;
    if (!this.#codec || !(body instanceof Uint8Array)) throw new Error('there is no key for it');
    return this.#codec.decrypt(body, `${context} body`);
  }

  #sealed(value: unknown, context: string): Promise<Bytes> {
    return (this.#codec as Cipher).encrypt(utf8.encode(JSON.stringify(value)) as Bytes, context);
  }

  async #opened<T>(sealed: Bytes, context: string): Promise<T> {
    if (!this.#codec) throw new Error('there is no key for it');
    return JSON.parse(text.decode(await this.#codec.decrypt(sealed, context)));
  }
}

type Named = Pick<OutboxEntry, 'seal' | 'partition' | 'key'>;

/** Which write it was, as it is written. */
type Printed = { readonly fingerprint?: string; readonly sealed?: Bytes };

/** What an id that was given belongs to, as it is written: nothing of the write itself. */
export type IdRow = Named & Pick<OutboxEntry, 'lane' | 'origin'> & Printed;

const unopened = ({ sealed: _, sealedReason: __, ...clear }: Row): OutboxEntry =>
  ({ ...clear, ...UNREADABLE }) as OutboxEntry;

/** What a write and its body are sealed as. Not by its place in the queue, which it has only when it is written. */
export const contentOf = ({ seal, partition }: Pick<Named, 'seal' | 'partition'>): string =>
  `outbox ${encodeURIComponent(partition)} ${seal}`;
const why = (entry: Named): string => `${contentOf(entry)} reason`;
const named = (entry: Named): string => `${contentOf(entry)} id`;

/** What an answer and its body are sealed as. */
export const answerTo = ({ partition, key }: Pick<Named, 'partition' | 'key'>): string =>
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
  reason: { code: 'unreadable', message: 'it was sealed with another key' },
} as const;
