import { StorageError } from '../../core/errors.ts';
import type { Bytes } from '../../primitives/units.ts';
import { readText, textOf } from '../encoding.ts';
import type { Bodies, Uploaded } from './bodies.ts';
import type { DenoKvAtomic, DenoKvEntry, KvConnection } from './connection.ts';
import { type KvKeys, type Mutation, type Parts, sizeOf } from './layout.ts';

/**
 * The limits of one atomic operation besides its checks: mutations, bytes of their keys, and bytes in all. Deno
 * allows 1,000, 80 KiB and 800 KiB.
 */
const MOST = { mutations: 990, keys: 70_000, bytes: 780_000 };

/** Notes of uploads that are checked in one operation; Deno allows 100 checks. */
const UPLOADS = 90;

/** Of the entries as they are written. */
const VERSION = 1;

/** Changes with every commit: a decision is valid while this is the same. */
export interface State {
  readonly version: number;
  /** A change that is made, and of which some may not be written yet. */
  readonly job?: Parts;
}

const utf8 = new TextEncoder();
const text = new TextDecoder();

/**
 * Makes changes of any size as one. A change too large for one atomic operation is logged, then made by setting the
 * state, and then replayed step by step, by any process that finds it.
 */
export class RedoLog {
  readonly #connection: KvConnection;
  readonly #places: KvKeys;
  readonly #bodies: Bodies;

  constructor(connection: KvConnection, places: KvKeys, bodies: Bodies) {
    this.#connection = connection;
    this.#places = places;
    this.#bodies = bodies;
  }

  /**
   * Whether no logged change is left to replay; if one was, it has been replayed, and earlier reads have to be repeated.
   *
   * @throws {StorageError} code `storage-newer` if the entries are of a newer version.
   */
  async isSettled({ value, versionstamp }: DenoKvEntry): Promise<boolean> {
    const state = value as State | null;
    if (state && state.version !== VERSION)
      throw new StorageError(
        `Deno KV: its entries are of version ${state.version}, written by a newer version of this program`,
        { code: 'storage-newer', transient: false },
      );
    if (!state?.job) return true;
    await this.#replay(state.job, versionstamp as string);
    return false;
  }

  /** Whether it is little enough for one operation. */
  isSmall(mutations: readonly Mutation[]): boolean {
    return steps(mutations).length <= 1;
  }

  /**
   * @param stamp Of the state, by which the change was decided.
   * @returns false where something has changed since; then nothing was.
   * @throws {StorageError} where it cannot be done as one; nothing was changed.
   */
  async commit(
    stamp: string | null,
    mutations: readonly Mutation[],
    uploads: readonly Uploaded[],
  ): Promise<boolean> {
    if (uploads.length > UPLOADS)
      throw new StorageError(`Deno KV: ${uploads.length} large bodies are more than ${UPLOADS} in a change`, {
        transient: false,
      });
    const { state } = this.#places;
    const checked = (atomic: DenoKvAtomic): DenoKvAtomic =>
      uploads.reduce(
        (all, upload) => all.check({ key: this.#places.looseOf(upload.id), versionstamp: upload.stamp }),
        atomic.check({ key: state, versionstamp: stamp }),
      );
    if (this.isSmall(mutations)) {
      const value: State = { version: VERSION };
      const made = await this.#connection.commit((atomic) =>
        applied(checked(atomic), mutations).set(state, value),
      );
      return made !== undefined;
    }
    const job = await this.#bodies.upload(utf8.encode(textOf(mutations)) as Bytes);
    const { id, count, size } = job;
    const value: State = { version: VERSION, job: { id, count, size } };
    const note = { key: this.#places.looseOf(id), versionstamp: job.stamp };
    const made = await this.#connection.commit((atomic) =>
      checked(atomic).check(note).set(state, value).delete(note.key).delete(this.#places.writing(id)),
    );
    if (made === undefined) {
      await this.#bodies.remove(job);
      return false;
    }
    // The change is committed: after a failure, the next process replays it.
    await this.#replay(job, made).catch(() => {});
    return true;
  }

  /** @param stamp Of the state that says so: if that has changed, another process has replayed it. */
  async #replay(job: Parts, stamp: string): Promise<void> {
    const { state } = this.#places;
    const check = { key: state, versionstamp: stamp };
    const bytes = await this.#bodies.read(job);
    if (!bytes) {
      // The process that replayed it has removed it.
      const [now] = await this.#connection.read([state]);
      if (now?.versionstamp !== stamp) return;
      throw new StorageError('Deno KV: a change that was made is not whole', { transient: false });
    }
    for (const step of steps(readText(text.decode(bytes)) as Mutation[]))
      if (!(await this.#connection.commit((atomic) => applied(atomic.check(check), step)))) return;
    const value: State = { version: VERSION };
    const done = await this.#connection.commit((atomic) =>
      atomic.check(check).set(state, value).set(this.#places.looseOf(job.id), job),
    );
    if (done) await this.#bodies.remove(job);
  }
}

const applied = (atomic: DenoKvAtomic, mutations: readonly Mutation[]): DenoKvAtomic =>
  mutations.reduce(
    (all, { key, value }) => (value === undefined ? all.delete(key) : all.set(key, value)),
    atomic,
  );

/** Splits mutations into batches that fit one operation each. */
function steps(mutations: readonly Mutation[]): Mutation[][] {
  const found: Mutation[][] = [];
  let room = { mutations: 0, keys: 0, bytes: 0 };
  for (const mutation of mutations) {
    const keys = sizeOf(mutation.key);
    const bytes = keys + weightOf(mutation.value);
    if (room.mutations < 1 || room.keys < keys || room.bytes < bytes) {
      found.push([]);
      room = { ...MOST };
    }
    found.at(-1)?.push(mutation);
    room = { mutations: room.mutations - 1, keys: room.keys - keys, bytes: room.bytes - bytes };
  }
  return found;
}

/** At least the bytes of a value. */
const weightOf = (value: Mutation['value']): number =>
  value instanceof Uint8Array ? value.length + 20 : typeof value === 'string' ? value.length * 3 + 20 : 300;
