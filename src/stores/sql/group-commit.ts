import { StorageError } from '../../core/errors.ts';
import type { AtomicStore, StoredBody } from '../../core/store.ts';
import { isFailure } from '../../primitives/failure.ts';
import { blobsOf, groupCommit, type PendingChange, resolveBatch } from '../batch.ts';
import { type EncodedBody, encoded, encodedBlob } from '../bytes.ts';
import type { explainedBy } from '../wrap-storage-errors.ts';
import { checkVersion } from './connection.ts';
import type { Opened } from './rows.ts';

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

export function sqlGroupCommit({ open, platform, explained, sync }: Means): AtomicStore['change'] {
  const tried = (batch: readonly PendingChange[], read: ReadonlyMap<StoredBody, EncodedBody>): Tried => {
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

  const made = async (batch: readonly PendingChange[]): Promise<readonly (() => void)[]> => {
    const read = new Map<StoredBody, EncodedBody>();
    for (;;) {
      const outcome = tried(batch, read);
      if ('settle' in outcome) return outcome.settle;
      for (const blob of outcome.unread) read.set(blob, await encodedBlob(blob));
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

  const commit = async (batch: readonly PendingChange[]): Promise<() => void> => {
    const settle = await explained('change', () => made(batch));
    return () => {
      const synced = sync && batch.some(({ strict }) => strict) ? onDisk(sync) : undefined;
      for (const [at, { strict, reject }] of batch.entries()) {
        const done = settle[at] as () => void;
        if (synced && strict) synced.then(done, reject);
        else done();
      }
    };
  };

  return groupCommit((batch) =>
    commit(batch).catch((error) => {
      // Each by itself would wait for a database that another process has locked.
      if (!isLocked(error)) throw error;
      return () => {
        for (const { reject } of batch) reject(error);
      };
    }),
  ).change;
}

const isLocked = (error: unknown): boolean =>
  isFailure(error) && /database is locked|SQLITE_BUSY/.test(`${error}`);
