import {
  type AtomicStore,
  type Change,
  endOf,
  type Item,
  type RangeQuery,
  type StoredBody,
} from '../core/store.ts';

/** Keeps entries as long as the process lives. */
export function memoryStore(): AtomicStore {
  const items = new Map<string, Item>();
  const bodies = new Map<string, StoredBody>();
  const keys: string[] = [];

  /** All of it or nothing: whatever cannot be copied throws before anything has changed. */
  const apply = (changes: readonly Change[]): void => {
    for (const change of changes.map(copied)) applyOne(change);
  };

  const applyOne = (change: Change): void => {
    if ('delete' in change) {
      if (items.delete(change.delete)) keys.splice(position(keys, change.delete), 1);
      bodies.delete(change.delete);
      return;
    }
    const { put, body } = change;
    if (!items.has(put.key)) keys.splice(position(keys, put.key), 0, put.key);
    items.set(put.key, put);
    if (body === null) bodies.delete(put.key);
    else if (body !== undefined) bodies.set(put.key, body);
  };

  const range = ({ prefix = '', group, after = '', limit = Infinity }: RangeQuery): Item[] => {
    const found: Item[] = [];
    const end = endOf(prefix);
    for (
      let at = position(keys, after > prefix ? after : prefix);
      at < keys.length && found.length < limit;
      at++
    ) {
      const key = keys[at] as string;
      if (key > end) break;
      const item = items.get(key) as Item;
      if (key !== after && (group === undefined || item.group === group)) found.push(structuredClone(item));
    }
    return found;
  };

  return {
    name: 'memory',
    durable: false,
    async get(key) {
      return structuredClone(items.get(key));
    },
    async body(key) {
      return bodies.get(key);
    },
    async range(query) {
      return range(query);
    },
    async wholes(prefix) {
      return range({ prefix }).map((item) => ({ ...item, body: bodies.get(item.key) }));
    },
    async groups(prefix, limit = Infinity) {
      const found = new Set<string>();
      for (const { group } of items.values()) if (group?.startsWith(prefix)) found.add(group);
      return [...found].sort().slice(0, limit);
    },
    async write(changes) {
      apply(changes);
    },
    async change(wanted, decide) {
      const { changes, result } = decide(wanted.map((key) => structuredClone(items.get(key))));
      apply(changes);
      return result;
    },
    async close() {},
  };
}

/** As every other store makes one: nobody changes what is stored by holding on to it. */
const copied = (change: Change): Change =>
  'delete' in change ? change : { ...change, put: structuredClone(change.put) };

/** Where a key stands or would stand in an ordered list. */
function position(keys: readonly string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((keys[middle] as string) < key) low = middle + 1;
    else high = middle;
  }
  return low;
}
