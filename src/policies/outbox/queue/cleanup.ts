import type { Change, Item, RangeQuery } from '../../../core/store.ts';
import { countSignOut } from './pauses.ts';
import type { Queue } from './queue.ts';
import {
  EMPTY_TOTALS,
  entryKeyOfResult,
  type Get,
  type IdRecord,
  type ResultRecord,
  type Totals,
  withoutResponse,
} from './records.ts';
import { deletions, idKeys } from './transitions.ts';

/** How many records are read together. */
const PAGE = 100;

/** Items page by page, in order; the caller may delete them. */
async function* pages(queue: Queue, query: RangeQuery): AsyncGenerator<Item[]> {
  for (let page: RangeQuery = { ...query, limit: PAGE }; ; ) {
    const items = await queue.store.range(page);
    yield items;
    if (items.length < PAGE) return;
    page = { ...page, after: items.at(-1)?.key as string };
  }
}

/** An atomic change that depends on records of other keys. */
const changeBy = (queue: Queue, keys: readonly string[], changes: (get: Get) => Change[]): Promise<void> =>
  queue.change(keys, false, (get) => ({ changes: changes(get), result: undefined }));

/** Corrects totals that a full disk has left wrong: an empty queue counts zero. */
export async function recount(queue: Queue): Promise<void> {
  const { store, keys } = queue;
  const { count, bytes } = await queue.totals();
  if ((count === 0 && bytes === 0) || (await store.groups(keys.waiting, 1)).length > 0) return;
  await changeBy(queue, [keys.totals], (get) => {
    const { lastTimestamp, ...found } = get<Totals>(keys.totals) ?? EMPTY_TOTALS;
    // If it has changed, a write was accepted in between.
    return found.count === count
      ? [{ put: { key: keys.totals, value: { ...EMPTY_TOTALS, lastTimestamp } } }]
      : [];
  });
}

/** Deletes results from before `time`, with their ids. */
export async function expireResults(queue: Queue, time: number): Promise<void> {
  for await (const results of pages(queue, { prefix: queue.keys.results })) {
    const old = results.filter(({ value }) => (value as ResultRecord).finishedAt < time);
    if (old.length > 0) await deleteResults(queue, old);
    // They are in the order of acceptance: later ones are hardly older.
    if (old.length < results.length) return;
  }
}

/** Deletes the results, ids, pauses and expired leases of a partition. */
export async function purgePartition(queue: Queue, partition: string, now: number): Promise<void> {
  const { store, keys } = queue;
  for await (const results of pages(queue, { collection: keys.resultsOf(partition) }))
    await deleteResults(queue, results);
  // Ids without an entry: delivered while the disk was full.
  for await (const ids of pages(queue, { collection: keys.ids(partition) })) {
    const owned = ids.map(({ key, value }) => [key, (value as IdRecord).key] as const);
    await changeBy(queue, owned.flat(), (get) =>
      deletions(owned.flatMap(([id, owner]) => (!get(owner) && isOf(get, id, owner) ? [id] : []))),
    );
  }
  const leases = (await store.range({ collection: keys.leases(partition) })).map(({ key }) => key);
  // The lease of a worker that is sending stays.
  await changeBy(queue, leases, (get) =>
    deletions([
      keys.pauses(partition),
      ...leases.filter((key) => (get<{ until: number }>(key)?.until ?? 0) <= now),
    ]),
  );
}

/** Deletes the responses of a partition, also those on their way; the ids and the outcomes of its writes stay. */
export async function clearResponses(queue: Queue, partition: string): Promise<void> {
  const pauses = queue.keys.pauses(partition);
  await changeBy(queue, [pauses], (get) => countSignOut(pauses, get));
  for await (const results of pages(queue, { collection: queue.keys.resultsOf(partition) }))
    await changeBy(
      queue,
      results.map(({ key }) => key),
      (get) =>
        results.flatMap((item) => {
          const found = get<ResultRecord>(item.key);
          return found ? [{ put: { ...item, value: withoutResponse(found) }, body: null }] : [];
        }),
    );
}

/** Whether an id still belongs to the entry of this key: another tab may have deleted it, and a new write uses it. */
const isOf = (get: Get, id: string, entryKey: string): boolean => get<IdRecord>(id)?.key === entryKey;

/** Deletes results; the ids of a dead letter stay. */
function deleteResults(queue: Queue, results: readonly Item[]): Promise<void> {
  const found = results.map(({ key, value }) => {
    const result = value as ResultRecord;
    return { resultKey: key, result, entryKey: entryKeyOfResult(key), ids: idKeys(queue, result) };
  });
  const keys = found.flatMap(({ resultKey, entryKey, ids }) => [resultKey, entryKey, ...ids]);
  return changeBy(queue, keys, (get) =>
    deletions(
      found.flatMap(({ resultKey, result, entryKey, ids }) => {
        if (get<ResultRecord>(resultKey)?.finishedAt !== result.finishedAt) return [];
        return [resultKey, ...(get(entryKey) ? [] : ids.filter((id) => isOf(get, id, entryKey)))];
      }),
    ),
  );
}
