import { StorageError } from '../../core/errors.ts';
import { type Change, explainedBy, type Item, type StoredBody } from '../../core/store.ts';
import type { Bytes } from '../../primitives/units.ts';
import { groupCommit, type PendingChange, resolveBatch } from '../batch.ts';
import { type EncodedBody, encodeStoredBody } from '../encoding.ts';
import type { Bodies, Uploaded } from './bodies.ts';
import {
  type DenoKvRecord,
  hashedName,
  type Key,
  type KvKeys,
  type Mutation,
  PART,
  type Parts,
  writtenRecord,
} from './layout.ts';
import type { Look, Reads } from './reads.ts';
import type { RedoLog } from './redo-log.ts';

const explained = explainedBy('Deno KV');

/** How many optimistic retries a change gets after concurrent writes. */
const TRIES = 1_000;

/** A body that is to be written, as far as that has come. */
interface Outgoing {
  readonly from: StoredBody;
  readonly encoded: EncodedBody;
  readonly parts: Parts;
  /** Where it is too large to be written with its entry. */
  readonly uploaded?: Uploaded | undefined;
}

interface Plan {
  readonly mutations: readonly Mutation[];
  readonly uploads: readonly Uploaded[];
  /** Orphaned bodies that are too large to be removed with their entries. */
  readonly gone: readonly Parts[];
}

/** Those of one process are committed together, so that they do not get in each other's way. */
export class Commits {
  readonly #places: KvKeys;
  readonly #reads: Reads;
  readonly #jobs: RedoLog;
  readonly #bodies: Bodies;
  /** Bodies of entries that have been replaced or deleted. */
  #gone: Parts[] = [];
  #isSwept = false;
  readonly #group = groupCommit(
    (batch) => this.#commit(batch),
    () => this.#tidy(),
  );

  constructor(places: KvKeys, reads: Reads, jobs: RedoLog, bodies: Bodies) {
    this.#places = places;
    this.#reads = reads;
    this.#jobs = jobs;
    this.#bodies = bodies;
  }

  readonly change = this.#group.change;
  /** Settles when nothing is under way. */
  readonly idle = this.#group.idle;

  async #commit(batch: readonly PendingChange[]): Promise<readonly (() => void)[]> {
    const outgoing = new Map<string, Outgoing>();
    try {
      const { settle, gone } = await explained('change', () => this.#committed(batch, outgoing));
      this.#gone.push(...gone);
      return settle;
    } catch (error) {
      await Promise.all([...outgoing.values()].map((each) => this.#drop(each)));
      throw error;
    }
  }

  /** Parts that cannot be removed now are removed when the store is next opened. */
  async #tidy(): Promise<void> {
    const gone = this.#gone;
    this.#gone = [];
    await Promise.all(gone.map((parts) => this.#bodies.remove(parts))).catch(() => {});
    if (!this.#isSwept) await this.#bodies.sweep().catch(() => {});
    this.#isSwept = true;
  }

  /** @returns `settle` resolves or rejects all changes of the batch. */
  async #committed(
    batch: readonly PendingChange[],
    outgoing: Map<string, Outgoing>,
  ): Promise<{ settle: (() => void)[]; gone: readonly Parts[] }> {
    const keys = [...new Set(batch.flatMap((each) => each.keys))];
    for (let tries = 0; tries < TRIES; tries++) {
      const { stamp, records } = await this.#reads.look(keys);
      const { changes, settle } = resolveBatch(
        batch,
        [...records].map(([key, record]) => [key, record?.item]),
      );
      const others = [...changes.keys()].filter((key) => !records.has(key));
      // Without a write there is no check, yet all reads must be of one moment.
      const more = others.length > 0 || changes.size === 0 ? await this.#reads.look(others) : undefined;
      if (more && more.stamp !== stamp) continue;
      if (changes.size === 0) return { settle, gone: [] };
      const plan = await this.#planned(changes, new Map([...records, ...(more?.records ?? [])]), outgoing);
      if (batch.length > 1 && !this.#jobs.isSmall(plan.mutations)) throw new RangeError('too many at once');
      if (await this.#jobs.commit(stamp, plan.mutations, plan.uploads)) return { settle, gone: plan.gone };
    }
    throw new StorageError(`Deno KV: conflict: gave up after ${TRIES} optimistic retries`);
  }

  async #planned(
    changes: ReadonlyMap<string, Change>,
    records: Look['records'],
    outgoing: Map<string, Outgoing>,
  ): Promise<Plan> {
    const mutations: Mutation[] = [];
    const uploads: Uploaded[] = [];
    const gone: Parts[] = [];
    for (const [key, change] of changes) {
      const before = records.get(key);
      const name = await hashedName(key);
      const after = 'delete' in change ? undefined : await this.#recordOf(change, before, outgoing);
      if (after) mutations.push({ key: [...this.#places.items, name], value: writtenRecord(after) });
      else if (before) mutations.push({ key: [...this.#places.items, name] });
      for (const by of ['group', 'collection'] as const)
        mutations.push(...(await this.#moved(by, name, before?.item[by], after?.item[by])));
      if (after?.body && after.body.id !== before?.body?.id) {
        const { encoded, uploaded } = outgoing.get(key) as Outgoing;
        const { id } = after.body;
        if (uploaded) {
          uploads.push(uploaded);
          mutations.push({ key: this.#places.looseOf(id) }, { key: this.#places.writing(id) });
        } else mutations.push({ key: this.#places.part(id, 0), value: encoded.bytes });
      }
      if (!before?.body || before.body.id === after?.body?.id) continue;
      const { id, count, size } = before.body;
      if (count === 1) mutations.push({ key: this.#places.part(id, 0) });
      else {
        mutations.push({ key: this.#places.looseOf(id), value: { id, count, size } });
        gone.push(before.body);
      }
    }
    return { mutations, uploads, gone };
  }

  async #recordOf(
    { put: item, body }: Extract<Change, { put: Item }>,
    before: DenoKvRecord | undefined,
    outgoing: Map<string, Outgoing>,
  ): Promise<DenoKvRecord> {
    if (body === null || body === undefined)
      return { item, ...(body === undefined && before?.body && { body: before.body }) };
    const known = outgoing.get(item.key);
    const isReady = known?.from === body && (!known.uploaded || (await this.#bodies.has(known.uploaded)));
    const { parts, encoded } = isReady ? known : await this.#prepared(item.key, body, outgoing);
    return { item, body: { ...parts, kind: encoded.kind } };
  }

  async #prepared(key: string, body: StoredBody, outgoing: Map<string, Outgoing>): Promise<Outgoing> {
    const known = outgoing.get(key);
    if (known) await this.#drop(known);
    const encoded = await encodeStoredBody(body);
    const size = encoded.bytes.length;
    const uploaded = size > PART ? await this.#bodies.upload(encoded.bytes) : undefined;
    const { id, count } = uploaded ?? { id: crypto.randomUUID(), count: 1 };
    const made: Outgoing = { from: body, encoded, parts: { id, count, size }, uploaded };
    outgoing.set(key, made);
    return made;
  }

  /** Removes unused uploads; if that fails, the next opening of the store does. */
  async #drop({ uploaded }: Outgoing): Promise<void> {
    if (uploaded) await this.#bodies.removeLoose(uploaded, uploaded.stamp).catch(() => {});
  }

  async #moved(
    by: 'group' | 'collection',
    name: Bytes,
    from: string | undefined,
    to: string | undefined,
  ): Promise<Mutation[]> {
    if (from === to) return [];
    const keyIn = async (of: string): Promise<Key> => [...this.#places[by], await hashedName(of), name];
    return [
      ...(from === undefined ? [] : [{ key: await keyIn(from) }]),
      ...(to === undefined ? [] : [{ key: await keyIn(to), value: to }]),
    ];
  }
}
