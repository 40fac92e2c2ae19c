import { StorageError } from '../../core/errors.ts';
import type { Change, StoredBody } from '../../core/store.ts';
import type { Bytes } from '../../primitives/units.ts';
import { encodeStoredBody } from '../encoding.ts';
import { type PendingChange, resolveBatch } from '../group-commit.ts';
import type { Key, Mutation } from './connection.ts';
import {
  type Bodies,
  type DenoKvRecord,
  hashedName,
  type KvKeys,
  PART,
  type Parts,
  type Uploaded,
  writtenRecord,
} from './layout.ts';
import { isSmall, type RedoLog } from './redo-log.ts';

/** How many optimistic retries a change gets after concurrent writes. */
const TRIES = 1_000;

/** A body that is to be written, as far as that has come. */
interface Outgoing {
  readonly from: StoredBody;
  readonly bytes: Bytes;
  readonly body: NonNullable<DenoKvRecord['body']>;
  /** Where it is too large to be written with its entry. */
  readonly uploaded: Uploaded | undefined;
}

/** Some entries, and the state of the store in which all of them were as they are. */
export interface Look {
  readonly stamp: string | null;
  readonly records: ReadonlyMap<string, DenoKvRecord | undefined>;
}

/**
 * Commits of batches, and the removal of what they leave behind.
 *
 * @param look Entries by their keys. Where the state is still the same when something is committed, so are they.
 */
export function commitsTo(
  keys: KvKeys,
  look: (keys: readonly string[]) => Promise<Look>,
  log: RedoLog,
  bodies: Bodies,
) {
  /** Bodies of entries that have been replaced or deleted, too large to be removed with them. */
  let orphans: Parts[] = [];
  let isSwept = false;

  /** Removes an unused upload; if that fails, the next opening of the store does. */
  const drop = async ({ uploaded }: Outgoing): Promise<void> => {
    if (uploaded) await bodies.removeLoose(uploaded, uploaded.stamp).catch(() => {});
  };

  const recordAfter = async (
    change: Change,
    before: DenoKvRecord | undefined,
    outgoing: Map<string, Outgoing>,
  ): Promise<DenoKvRecord | undefined> => {
    if ('delete' in change) return undefined;
    const { put: item, body: from } = change;
    if (from === null) return { item };
    if (from === undefined) return { item, ...(before?.body && { body: before.body }) };
    const known = outgoing.get(item.key);
    if (known?.from === from && (!known.uploaded || (await bodies.has(known.uploaded))))
      return { item, body: known.body };
    if (known) await drop(known);
    const { bytes, kind } = await encodeStoredBody(from);
    const size = bytes.length;
    const uploaded = size > PART ? await bodies.upload(bytes) : undefined;
    const { id, count } = uploaded ?? { id: crypto.randomUUID(), count: 1 };
    const body = { id, count, size, kind };
    outgoing.set(item.key, { from, bytes, body, uploaded });
    return { item, body };
  };

  const planned = async (
    changes: ReadonlyMap<string, Change>,
    records: Look['records'],
    outgoing: Map<string, Outgoing>,
  ) => {
    const mutations: Mutation[] = [];
    const uploads: Uploaded[] = [];
    const gone: Parts[] = [];
    for (const [key, change] of changes) {
      const before = records.get(key);
      const after = await recordAfter(change, before, outgoing);
      const last = await hashedName(key);
      const item = [...keys.items, last];
      if (after) mutations.push({ key: item, value: writtenRecord(after) });
      else if (before) mutations.push({ key: item });
      for (const by of ['group', 'collection'] as const) {
        const [from, to] = [before?.item[by], after?.item[by]];
        if (from === to) continue;
        const keyIn = async (name: string): Promise<Key> => [...(await keys.members({ by, name })), last];
        if (from !== undefined) mutations.push({ key: await keyIn(from) });
        if (to !== undefined) mutations.push({ key: await keyIn(to), value: to });
      }
      if (after?.body?.id === before?.body?.id) continue;
      if (after?.body) {
        const { id } = after.body;
        const { bytes, uploaded } = outgoing.get(key) as Outgoing;
        if (uploaded) {
          uploads.push(uploaded);
          mutations.push({ key: keys.looseOf(id) }, { key: keys.writing(id) });
        } else mutations.push({ key: keys.part(id, 0), value: bytes });
      }
      if (before?.body) {
        const { id, count, size } = before.body;
        if (count === 1) mutations.push({ key: keys.part(id, 0) });
        else {
          mutations.push({ key: keys.looseOf(id), value: { id, count, size } });
          gone.push(before.body);
        }
      }
    }
    return { mutations, uploads, gone };
  };

  const committed = async (
    batch: readonly PendingChange[],
    outgoing: Map<string, Outgoing>,
  ): Promise<readonly (() => void)[]> => {
    const wanted = [...new Set(batch.flatMap((each) => each.keys))];
    for (let tries = 0; tries < TRIES; tries++) {
      const { stamp, records } = await look(wanted);
      const { changes, settle } = resolveBatch(
        batch,
        [...records].map(([key, record]) => [key, record?.item]),
      );
      const others = [...changes.keys()].filter((key) => !records.has(key));
      // Without a write there is no check, yet all reads must be of one moment.
      const more = others.length > 0 || changes.size === 0 ? await look(others) : undefined;
      if (more && more.stamp !== stamp) continue;
      if (changes.size === 0) return settle;
      const all = new Map([...records, ...(more?.records ?? [])]);
      const { mutations, uploads, gone } = await planned(changes, all, outgoing);
      if (batch.length > 1 && !isSmall(mutations)) throw new RangeError('too many at once');
      if (!(await log.commit(stamp, mutations, uploads))) continue;
      orphans.push(...gone);
      return settle;
    }
    throw new StorageError(`Deno KV: conflict: gave up after ${TRIES} optimistic retries`);
  };

  return {
    /** @returns `settle` resolves or rejects all changes of the batch. */
    async commit(batch: readonly PendingChange[]): Promise<readonly (() => void)[]> {
      const outgoing = new Map<string, Outgoing>();
      try {
        return await committed(batch, outgoing);
      } catch (error) {
        await Promise.all([...outgoing.values()].map(drop));
        throw error;
      }
    },

    /** Parts that cannot be removed now are removed when the store is next opened. */
    async tidy(): Promise<void> {
      const gone = orphans;
      orphans = [];
      await Promise.all(gone.map(bodies.remove)).catch(() => {});
      if (!isSwept) await bodies.sweep().catch(() => {});
      isSwept = true;
    },
  };
}
