import { StorageError } from '../../core/errors.ts';
import { jsonBytes, readJsonBytes } from '../encoding.ts';
import { type DenoKvEntry, isLocked, type KvConnection, type Mutation } from './connection.ts';
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
  /** Of the last change; it shows whether a commit whose response is lost was made. */
  readonly id?: string;
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
  /** @param stamp Of the state that names the job: if that has changed, another process has replayed it. */
  const replay = async ({ job, ...settled }: State & { readonly job: Parts }, stamp: string) => {
    const checks = [{ key: keys.state, versionstamp: stamp }];
    const bytes = await bodies.read(job);
    if (!bytes) {
      // The process that replayed it has removed it.
      const [now] = await read([keys.state]);
      if (now?.versionstamp !== stamp) return;
      throw new StorageError('Deno KV: a change that was made is not whole', { transient: false });
    }
    for (const step of steps(readJsonBytes(bytes) as Mutation[])) if (!(await commit(step, checks))) return;
    const done = [
      { key: keys.state, value: settled },
      { key: keys.looseOf(job.id), value: job },
    ];
    if (await commit(done, checks)) await bodies.remove(job);
  };

  const readState = async (): Promise<DenoKvEntry> => (await read([keys.state]))[0] as DenoKvEntry;
  const idIn = ({ value }: DenoKvEntry): string | undefined => (value as State | null)?.id;

  /** @throws {StorageError} code `storage-newer` if the entries are of a newer version. */
  const isSettled = async ({ value, versionstamp }: DenoKvEntry): Promise<boolean> => {
    const state = value as State | null;
    if (state && state.version !== SETTLED.version)
      throw new StorageError(
        `Deno KV: its entries are of version ${state.version}, written by a newer version of this program`,
        { code: 'storage-newer', transient: false },
      );
    if (!state?.job) return true;
    await replay({ ...state, job: state.job }, versionstamp as string);
    return false;
  };

  /**
   * Whether a commit without a response was made. Where the state is as before, it is written once more, so that the
   * commit cannot be made any more.
   *
   * @throws {StorageError} code `storage-unknown` where another change has been made since, or the database fails.
   */
  const wasMade = async (id: string, stamp: string | null, cause: unknown): Promise<boolean> => {
    try {
      for (let tries = 0; tries < 2; tries++) {
        const now = await readState();
        if (idIn(now) === id) return true;
        if (now.versionstamp !== stamp) break;
        const same = { key: keys.state, value: { ...SETTLED, ...(now.value as State | null) } };
        if (await commit([same], [{ key: keys.state, versionstamp: stamp }])) return false;
      }
    } catch {}
    const message = `Deno KV: the commit failed, and the change may or may not have been made: ${cause}`;
    throw new StorageError(message, { code: 'storage-unknown', cause });
  };

  /** @returns whether it was made; also where a commit was repeated on its way, so that its check has failed. */
  const made = async (
    stamp: string | null,
    mutations: readonly Mutation[],
    checks: Parameters<typeof commit>[1] = [],
    job?: Parts,
  ): Promise<boolean> => {
    const id = crypto.randomUUID();
    const state = { key: keys.state, value: { ...SETTLED, id, ...(job && { job }) } };
    try {
      const isMade = await commit(
        [...mutations, state],
        [{ key: keys.state, versionstamp: stamp }, ...checks],
      );
      return isMade !== undefined || idIn(await readState()) === id;
    } catch (error) {
      if (isLocked(error) || !(await wasMade(id, stamp, error))) throw error;
      return true;
    }
  };

  return {
    /**
     * Whether no logged change is left to replay; if one was, it has been replayed, and earlier reads have to be repeated.
     *
     * @throws {StorageError} code `storage-newer` if the entries are of a newer version.
     */
    isSettled,

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
      const checks = uploads.map(noteOf);
      if (isSmall(mutations)) return made(stamp, mutations, checks);
      const { stamp: noted, ...job } = await bodies.upload(jsonBytes(mutations));
      const notes = [{ key: keys.looseOf(job.id) }, { key: keys.writing(job.id) }];
      const isMade = await made(stamp, notes, [...checks, noteOf({ ...job, stamp: noted })], job);
      // The change is committed: after a failure, the next process replays it.
      if (isMade)
        await readState()
          .then(isSettled)
          .catch(() => {});
      else await bodies.remove(job);
      return isMade;
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
