import { isFailure, StorageError } from '../core/errors.ts';
import type { AtomicStore, Change, Item, StoredBody } from '../core/store.ts';
import { decided, type Waiting } from './batch.ts';
import { keyOf } from './changes.ts';
import { changesOf, marked, type Note, noted, type Rewritable } from './journal-note.ts';
import { memoryStore } from './memory.ts';

/** Nobody else's key begins so. */
const OURS = '\u0001';
const OWNER = `${OURS}owner`;
const JOURNAL = `${OURS}journal `;

/**
 * Atomic changes over a store that has none, for one process at a time: what is to be changed is first noted as a whole, and
 * done again by the next process if this one dies in the middle. A change has happened when its note is written.
 *
 * Items are held in memory, bodies are read where they lie. Who opens it takes it over: the one before is refused.
 */
export function journaled(store: Rewritable): AtomicStore {
  const owner = crypto.randomUUID();
  const journal = JOURNAL + owner;
  /** All items, once they have been read. */
  let items: Promise<AtomicStore> | undefined;
  let isTaken = false;
  /** Noted, and not yet done. */
  let unfinished: readonly Change[] = [];
  const queue: Waiting[] = [];
  let working: Promise<void> | undefined;
  let doing: Promise<void> | undefined;
  let doings = 0;

  const opened = (): Promise<AtomicStore> => {
    // What is known here may no longer be so.
    if (isTaken) return Promise.reject(taken());
    items ??= open().catch((error) => {
      items = undefined;
      throw error;
    });
    return items;
  };

  const open = async (): Promise<AtomicStore> => {
    // Before anything is read: what the one before notes from now on it does not take for done.
    await store.write([{ put: { key: OWNER, value: owner } }]);
    for (const { key, value } of await store.range({ prefix: JOURNAL }))
      await finish(key, changesOf(value as Note, await store.body(key)) ?? []);
    unfinished = [];
    const copy = memoryStore();
    for (const put of await store.range({})) if (!put.key.startsWith(OURS)) await copy.write([{ put }]);
    return copy;
  };

  /** Does what was noted, perhaps once more. */
  const finish = async (key: string, changes: readonly Change[]): Promise<void> => {
    doings++;
    doing = store.write(changes);
    try {
      await doing;
    } finally {
      doing = undefined;
    }
    await store.write([{ delete: key }]);
  };

  const finishOwn = async (): Promise<void> => {
    if (unfinished.length === 0) return;
    await finish(journal, unfinished);
    unfinished = [];
  };

  const note = async (changes: readonly Change[]): Promise<void> => {
    const { note, body } = await noted(changes);
    try {
      await store.write([{ put: { key: journal, value: note }, body }]);
      isTaken = (await store.get(OWNER))?.value !== owner;
      if (isTaken) throw taken();
    } catch (cause) {
      await withdraw(cause);
      throw cause;
    }
  };

  const taken = (): StorageError =>
    new StorageError(`${store.name} has been opened by another process`, {
      code: 'storage-taken',
      transient: false,
    });

  /** What failed may have been written all the same, and is not to be found there later. */
  const withdraw = async (cause: unknown): Promise<void> => {
    try {
      await store.write([{ delete: journal }]);
    } catch {
      // The next look tells.
      items = undefined;
      throw new StorageError(`${store.name} does not say whether it has kept what was to be written`, {
        code: 'storage-unknown',
        cause,
      });
    }
  };

  /** @returns tells everybody in the batch what became of it. */
  const commit = async (batch: readonly Waiting[]): Promise<() => void> => {
    const copy = await opened();
    await finishOwn();
    const keys = [...new Set(batch.flatMap((each) => each.keys))];
    const found = await Promise.all(keys.map(async (key) => [key, await copy.get(key)] as const));
    const { changes, settle } = decided(batch, found);
    if (changes.size > 0) {
      const all = await marked([...changes.values()], store);
      await note(all);
      unfinished = all;
      await copy.write(all.map(withoutBody));
    }
    return () => {
      for (const each of settle) each();
    };
  };

  const commitAll = async (batch: readonly Waiting[]): Promise<void> => {
    try {
      (await commit(batch))();
    } catch (error) {
      // One that cannot be stored is not to fail those who came with it.
      if (batch.length > 1 && !isUnknown(error)) for (const each of batch) await commitAll([each]);
      else for (const { reject } of batch) reject(error);
    }
  };

  const work = async (): Promise<void> => {
    // Who asks in the same step shares one note.
    await null;
    while (queue.length > 0) {
      await commitAll(queue.splice(0));
      // Where it fails it is done before the next change.
      await finishOwn().catch(() => {});
    }
    working = undefined;
  };

  const change: AtomicStore['change'] = (keys, decide) =>
    new Promise((resolve, reject) => {
      queue.push({ keys, decide, resolve, reject });
      working ??= work();
    });

  const body = async (key: string): Promise<StoredBody | undefined> => {
    for (;;) {
      await opened();
      const before = doings;
      const last = unfinished.findLast((each) => keyOf(each) === key);
      if (last && ('delete' in last || last.body !== undefined))
        return ('body' in last && last.body) || undefined;
      const found = await store.body(key);
      if (found !== undefined) return found;
      // While its item is written anew it cannot be found.
      const isQuiet = before === doings && !doing;
      if (isQuiet && !(last && 'mark' in last)) return undefined;
      if (isQuiet) throw new StorageError(`${store.name} has not ended the last change of an item`);
      await doing?.catch(() => {});
    }
  };

  return {
    name: store.name,
    durable: store.durable,
    exclusive: true,
    get: async (key) => (await opened()).get(key),
    body,
    range: async (query) => (await opened()).range(query),
    wholes: async (query, pick = (found) => found) =>
      Promise.all(
        pick(await (await opened()).range(query)).map(async (item: Item) => ({
          ...item,
          body: await body(item.key),
        })),
      ),
    groups: async (prefix, limit) => (await opened()).groups(prefix, limit),
    count: async (of) => (await opened()).count(of),
    write: (changes) => change([], () => ({ changes, result: undefined })),
    change,
    async close() {
      await working;
      // It writes who has opened it: not after another one has.
      await items?.catch(() => {});
      items = undefined;
      isTaken = false;
      await store.close();
    },
  };
}

const withoutBody = (change: Change): Change => ('delete' in change ? change : { put: change.put });

const isUnknown = (error: unknown): boolean => isFailure(error) && error.code === 'storage-unknown';
