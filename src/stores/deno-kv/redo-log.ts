import { StorageError } from '../../core/errors.ts';
import { jsonBytes, readJsonBytes } from '../encoding.ts';
import type { DenoKvEntry, KvConnection, Mutation } from './connection.ts';
import { type Bodies, type KvKeys, type Parts, sizeOf, type Uploaded } from './layout.ts';

/**
 * The limits of one atomic operation besides its checks: mutations, bytes of their keys, and bytes in all. Deno
 * allows 1,000, 80 KiB and 800 KiB.
 */
const MOST = { mutations: 990, keys: 70_000, bytes: 780_000 };

/** Notes of uploads that are checked in one operation; Deno allows 100 checks. */
const UPLOADS = 90;

/** Changes with every commit: a decision is valid while this is the same. */
interface State {
  /** Of the entries as they are written. */
  readonly version: number;
  /** A change that is made, and of which some may not be written yet. */
  readonly job?: Parts;
}

const SETTLED: State = { version: 1 };

export type RedoLog = ReturnType<typeof redoLog>;

/**
 * Makes changes of any size as one. A change too large for one atomic operation is logged, then made by setting the
 * state, and then replayed step by step, by any process that finds it.
 */
export function redoLog({ read, commit }: KvConnection, keys: KvKeys, bodies: Bodies) {
  const settled: Mutation = { key: keys.state, value: SETTLED };

  /** @param stamp Of the state that says so: if that has changed, another process has replayed it. */
  const replay = async (job: Parts, stamp: string): Promise<void> => {
    const checks = [{ key: keys.state, versionstamp: stamp }];
    const bytes = await bodies.read(job);
    if (!bytes) {
      // The process that replayed it has removed it.
      const [now] = await read([keys.state]);
      if (now?.versionstamp !== stamp) return;
      throw new StorageError('Deno KV: a change that was made is not whole', { transient: false });
    }
    for (const step of steps(readJsonBytes(bytes) as Mutation[])) if (!(await commit(step, checks))) return;
    if (await commit([settled, { key: keys.looseOf(job.id), value: job }], checks)) await bodies.remove(job);
  };

  return {
    /**
     * Whether no logged change is left to replay; if one was, it has been replayed, and earlier reads have to be repeated.
     *
     * @throws {StorageError} code `storage-newer` if the entries are of a newer version.
     */
    async isSettled({ value, versionstamp }: DenoKvEntry): Promise<boolean> {
      const state = value as State | null;
      if (state && state.version !== SETTLED.version)
        throw new StorageError(
          `Deno KV: its entries are of version ${state.version}, written by a newer version of this program`,
          { code: 'storage-newer', transient: false },
        );
      if (!state?.job) return true;
      await replay(state.job, versionstamp as string);
      return false;
    },

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
        throw new StorageError(
          `Deno KV: ${uploads.length} large bodies are more than ${UPLOADS} in a change`,
          { transient: false },
        );
      const noteOf = (of: Uploaded) => ({ key: keys.looseOf(of.id), versionstamp: of.stamp });
      const checks = [{ key: keys.state, versionstamp: stamp }, ...uploads.map(noteOf)];
      if (isSmall(mutations)) return (await commit([...mutations, settled], checks)) !== undefined;
      const { stamp: noted, ...job } = await bodies.upload(jsonBytes(mutations));
      const made = await commit(
        [
          { key: keys.state, value: { ...SETTLED, job } },
          { key: keys.looseOf(job.id) },
          { key: keys.writing(job.id) },
        ],
        [...checks, noteOf({ ...job, stamp: noted })],
      );
      // The change is committed: after a failure, the next process replays it.
      if (made) await replay(job, made).catch(() => {});
      else await bodies.remove(job);
      return made !== undefined;
    },
  };
}

/** Whether it is little enough for one operation. */
export const isSmall = (mutations: readonly Mutation[]): boolean => steps(mutations).length <= 1;

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
