import { StorageError } from '../../core/errors.ts';
import type { AtomicStore, Change, StoredBody } from '../../core/store.ts';
import { isFailure } from '../../primitives/failure.ts';
import { type PendingChange, resolveBatch } from '../batch.ts';
import { type EncodedBody, encoded, encodedBlob } from '../bytes.ts';
import type { explainedBy } from '../wrap-storage-errors.ts';
import { checkVersion } from './connection.ts';
import type { Opened } from './rows.ts';

interface Asked extends PendingChange {
  readonly strict: boolean;
}

interface Means {
  readonly open: () => Opened;
  readonly platform: string;
  readonly explained: ReturnType<typeof explainedBy>;
  readonly sync: (() => Promise<void>) | undefined;
}

/** What came of a transaction. */
type Tried =
  | { readonly settle: readonly (() => void)[] }
  /** Blobs have to be read first: a transaction does not wait. */
  | { readonly unread: readonly Blob[] };

/** Changes that are asked for at once share a transaction: the disk is waited for once and not once a change. */
export function sqlGroupCommit({ open, platform, explained, sync }: Means): AtomicStore['change'] {
  let queue: Asked[] = [];
  let isBusy = false;

  const tried = (batch: readonly Asked[], read: ReadonlyMap<StoredBody, EncodedBody>): Tried => {
    const { sql, tables, rows } = open();
    return sql.writing((): Tried => {
      checkVersion(sql, tables, platform);
      const keys = new Set(batch.flatMap((each) => each.keys));
      const { changes, settle } = resolveBatch(
        batch,
        [...keys].map((key) => [key, rows.item(key)] as const),
      );
      const unread = blobsOf(changes.values()).filter((blob) => !read.has(blob));
      if (unread.length > 0) return { unread };
      rows.apply(changes.values(), (body) => encoded(body) ?? (read.get(body) as EncodedBody));
      return { settle };
    });
  };

  const made = async (batch: readonly Asked[]): Promise<readonly (() => void)[]> => {
    const read = new Map<StoredBody, EncodedBody>();
    for (;;) {
      const outcome = tried(batch, read);
      if ('settle' in outcome) return outcome.settle;
      for (const blob of outcome.unread) read.set(blob, await encodedBlob(blob));
    }
  };

  const commit = async (batch: readonly Asked[]): Promise<void> => {
    try {
      settleAll(batch, await explained('change', () => made(batch)));
    } catch (error) {
      // One that cannot be stored, or is too large for the disk, is not to fail the others. Each would wait for a database
      // that another process has locked.
      if (batch.length > 1 && !isLocked(error)) for (const each of batch) await commit([each]);
      else for (const { reject } of batch) reject(error);
    }
  };

  const settleAll = (batch: readonly Asked[], settle: readonly (() => void)[]): void => {
    const synced = sync && batch.some(({ strict }) => strict) ? onDisk(sync) : undefined;
    for (const [at, each] of batch.entries()) {
      const done = settle[at] as () => void;
      if (synced && each.strict) synced.then(done, each.reject);
      else done();
    }
  };

  /** @throws {StorageError} `storage-unknown`: the change is committed, and may not survive a power failure. */
  const onDisk = async (sync: () => Promise<void>): Promise<void> => {
    try {
      await sync();
    } catch (cause) {
      const message = `${platform}: sync failed: the change is committed, and may not be on the disk: ${cause}`;
      throw new StorageError(message, { code: 'storage-unknown', cause });
    }
  };

  const run = async (): Promise<void> => {
    while (queue.length > 0) {
      const batch = queue;
      queue = [];
      await commit(batch);
    }
    isBusy = false;
  };

  return (keys, decide, { strict = false } = {}) =>
    new Promise((resolve, reject) => {
      queue.push({ keys, decide, strict, resolve, reject });
      if (isBusy) return;
      isBusy = true;
      queueMicrotask(run);
    });
}

const blobsOf = (changes: Iterable<Change>): Blob[] =>
  [...changes].flatMap((change) => ('put' in change && change.body instanceof Blob ? [change.body] : []));

const isLocked = (error: unknown): boolean =>
  isFailure(error) && /database is locked|SQLITE_BUSY/.test(`${error}`);
