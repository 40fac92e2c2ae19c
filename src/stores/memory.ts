import { type AtomicStore, type Change, endOf, type Item, type StoredBody } from '../core/store.ts';

/** Keeps entries as long as the process lives. */
export function memoryStore(): AtomicStore {
  const items = new Map<string, Item>();
  const bodies = new Map<string, StoredBody>();
  const keys: string[] = [];

  const apply = (change: Change): void => {
    if ('delete' in change) {
      if (items.delete(change.delete)) keys.splice(position(keys, change.delete), 1);
      bodies.delete(change.delete);
      return;
    }
    const { put, body } = change;
    if (!items.has(put.key)) keys.splice(position(keys, put.key), 0, put.key);
    // A copy, as every other store makes one: nobody changes what is stored by holding on to it.
    items.set(put.key, structuredClone(put));
    if (body === null) bodies.delete(put.key);
    else if (body !== undefined) bodies.set(put.key, body);
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
    async range({ prefix = '', group, after = '', limit = Infinity }) {
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
    },
    async groups(prefix) {
      const found = new Set<string>();
      for (const { group } of items.values()) if (group?.startsWith(prefix)) found.add(group);
      return [...found].sort();
    },
    async write(changes) {
      changes.forEach(apply);
    },
    async change(wanted, decide) {
      const { changes, result } = decide(wanted.map((key) => structuredClone(items.get(key))));
      changes.forEach(apply);
      return result;
    },
    async close() {},
  };
}

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
