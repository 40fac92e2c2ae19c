import type { Bytes } from '../../../primitives/units.ts';
import type { OutboxEntry, Reason, StoredResult } from './entry.ts';

/** The fields with a write's content. */
export type Content = Pick<OutboxEntry, 'request' | 'options' | 'meta' | 'fingerprint'>;

/** A stored entry: plain, or with its content encrypted. The fields that the queue decides by are never encrypted. */
export type EntryRecord = Omit<OutboxEntry, keyof Content | 'reason'> &
  Partial<Content> &
  ReasonFields & { readonly encrypted?: Bytes };

/** The stored reason of an entry. */
export interface ReasonFields {
  readonly reason?: Reason | undefined;
  readonly encryptedReason?: Bytes | undefined;
}

/** The reason without details, if the full one cannot be written. */
export const codeOnly = ({ code }: Reason): ReasonFields => ({
  reason: { code },
  encryptedReason: undefined,
});

/** A stored result, with its partition, and the further ids of its entry. */
export type ResultRecord = StoredResult &
  Pick<OutboxEntry, 'partition' | 'aliases'> & { readonly encrypted?: Bytes };

/** A result that is kept for its id and its outcome. */
export const withoutResponse = ({
  response: _,
  reason: __,
  encrypted: ___,
  ...rest
}: ResultRecord): ResultRecord => rest;

/** The context that the encryption of a record is bound to. */
export type CipherSubject = Pick<OutboxEntry, 'cipherContext' | 'partition' | 'key'>;

/** The stored fingerprint of a write. */
export type FingerprintFields = { readonly fingerprint?: string; readonly encrypted?: Bytes };

/** The stored owner of an id: nothing of the write itself, as an id is remembered for longer than its entry. */
export type IdRecord = CipherSubject & Pick<OutboxEntry, 'lane' | 'origin'> & FingerprintFields;

/** The waiting entries of all users, and the last timestamp. */
export interface Totals {
  readonly count: number;
  readonly bytes: number;
  readonly lastTimestamp: number;
}

export const EMPTY_TOTALS: Totals = { count: 0, bytes: 0, lastTimestamp: 0 };

/** The value of a key at the time of the change. */
export type Get = <T>(key: string) => T | undefined;

/** True if the stored record is still the revision that was read. */
export const isSameRevision = (
  found: EntryRecord | undefined,
  { revision, state }: OutboxEntry,
): found is EntryRecord => found !== undefined && found.revision === revision && found.state === state;

const enc = encodeURIComponent;

export type Keys = ReturnType<typeof keysOf>;

/** The keys of one outbox in its store, and the groups and collections that can be listed. @param name Of the pipeline. */
export const keysOf = (name: string) => {
  const own = enc(name);
  const entry = (id: string): string => `entry ${own} ${id}`;
  const leases = (partition: string): string => `lease ${own} ${enc(partition)}`;
  /** The entries of a user in a state. */
  const of = (state: OutboxEntry['state'], partition: string): string => `${state} ${own} ${enc(partition)}`;
  return {
    totals: `totals ${own}`,
    /** Sorts by the time of acceptance. */
    entry,
    /** Points from an id to its entry. */
    alias: (partition: string, id: string): string => `id ${own} ${enc(partition)} ${enc(id)}`,
    /** The ids of one user. */
    ids: (partition: string): string => `ids ${own} ${enc(partition)}`,
    /** Points from a `coalesce` key to its unsent entry. */
    unsent: (partition: string, lane: string, key: string): string =>
      `key ${own} ${enc(partition)} ${enc(lane)} ${enc(key)}`,
    /** The result of the entry with this key. */
    result: (key: string): string => RESULT + key,
    /** The prefix of the results of all users. */
    results: RESULT + entry(''),
    /** The results of one user. */
    resultsOf: (partition: string): string => `results ${own} ${enc(partition)}`,
    /** The pauses and stopped lanes of one user. */
    pauses: (partition: string): string => `pauses ${own} ${enc(partition)}`,
    leases,
    /** The lease of a lane, for stores without another lock. */
    lease: (partition: string, lane: string) => ({
      key: `${leases(partition)} ${enc(lane)}`,
      collection: leases(partition),
    }),
    /** The prefix of the lanes of all users with waiting entries. */
    waiting: `waiting ${own} `,
    of,
    /** A lane: its entries in order. */
    lane: (state: OutboxEntry['state'], partition: string, lane: string): string =>
      `${of(state, partition)} ${enc(lane)}`,
  };
};

/** The begin of generated ids: sorts like the timestamps. */
export const sortableTimestamp = (lastTimestamp: number): string =>
  lastTimestamp.toString(36).padStart(9, '0');

const RESULT = 'result ';

/** The key of the entry that a result belongs to. */
export const entryKeyOfResult = (result: string): string => result.slice(RESULT.length);
