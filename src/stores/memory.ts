import {
  type AtomicStore,
  type Change,
  type Item,
  listingOf,
  prefixEnd,
  type RangeQuery,
  type StoredBody,
} from '../core/store.ts';

/**
 * Keeps entries as long as the process lives.
 *
 * @example
 * const cache = staleCache({ store: memoryStore() });
 */
export function memoryStore(): AtomicStore {
  const items = new Map<string, Item>();
  const bodies = new Map<string, StoredBody>();
  const all = new Lists();
  const lists = { group: new Lists(), collection: new Lists() };

  /** All or nothing: a value that cannot be cloned throws before any change is made. */
  const apply = (changes: readonly Change[]): void => {
    for (const change of changes.map(copied)) {
      const key = 'delete' in change ? change.delete : change.put.key;
      const before = items.get(key);
      const after = 'delete' in change ? undefined : change.put;
      all.move(key, before && ALL, after && ALL);
      for (const by of ['group', 'collection'] as const) lists[by].move(key, before?.[by], after?.[by]);
      if (after) items.set(key, after);
      else items.delete(key);
      const body = 'delete' in change ? null : change.body;
      if (body === null) bodies.delete(key);
      else if (body !== undefined) bodies.set(key, body);
    }
  };

  const listed = (query: RangeQuery): readonly string[] => {
    const listing = listingOf(query);
    return listing ? lists[listing.by].under(listing.name) : all.under(ALL);
  };

  const range = ({ prefix = '', after = '', limit = Infinity, ...of }: RangeQuery): Item[] => {
    const found: Item[] = [];
    const list = listed(of);
    const end = prefixEnd(prefix);
    const low = after > prefix ? after : prefix;
    for (let at = position(list, low); at < list.length && found.length < limit; at++) {
      const key = list[at] as string;
      if (key > end) break;
      if (key !== after) found.push(structuredClone(items.get(key) as Item));
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
    async rangeWithBodies(query) {
      return range(query).map((item) => ({ ...item, body: bodies.get(item.key) }));
    },
    async groups(prefix, limit = Infinity) {
      const { names } = lists.group;
      const found: string[] = [];
      for (let at = position(names, prefix); at < names.length && found.length < limit; at++) {
        const name = names[at] as string;
        if (!name.startsWith(prefix)) break;
        found.push(name);
      }
      return found;
    },
    async count(of) {
      return listed(of).length;
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

/** A clone, as every other store makes: a caller cannot change the stored value. */
const copied = (change: Change): Change =>
  'delete' in change ? change : { ...change, put: structuredClone(change.put) };

/** The name of the list of all keys. */
const ALL = 'all';

/** Keys under names, both in order, so that a lookup reads one name only. */
class Lists {
  /** Those under which there is something. */
  readonly names: string[] = [];
  readonly #keys = new Map<string, string[]>();

  under(name: string): readonly string[] {
    return this.#keys.get(name) ?? [];
  }

  move(key: string, from: string | undefined, to: string | undefined): void {
    if (from === to) return;
    if (from !== undefined) {
      const keys = this.#keys.get(from) as string[];
      remove(keys, key);
      if (keys.length === 0) {
        this.#keys.delete(from);
        remove(this.names, from);
      }
    }
    if (to === undefined) return;
    const keys = this.#keys.get(to);
    if (keys) insert(keys, key);
    else {
      this.#keys.set(to, [key]);
      insert(this.names, to);
    }
  }
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

/** @param key One that is not there yet. */
function insert(keys: string[], key: string): void {
  keys.splice(position(keys, key), 0, key);
}

/** @param key One that is there. */
function remove(keys: string[], key: string): void {
  keys.splice(position(keys, key), 1);
}
