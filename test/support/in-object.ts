import { evictDurableObject, runInDurableObject } from 'cloudflare:test';
import { env } from 'cloudflare:workers';
import {
  type DurableObjectStoreOptions,
  durableObjectStore,
  type SqlDurableObjectStorage,
} from '../../src/cloudflare.ts';
import type { AtomicStore } from '../../src/core/store.ts';

export interface BoxStub {
  readonly id: unknown;
}

export interface BoxNamespace {
  newUniqueId(): unknown;
  get(id: unknown): BoxStub;
}

/** A Durable Object of its own, which a test may enter and evict. */
export interface InObject {
  run<T>(task: (storage: SqlDurableObjectStorage) => T | Promise<T>): Promise<T>;
  /** Ends it; what comes next finds another instance on the same storage. */
  evict(): Promise<void>;
}

export function newObject(namespace: BoxNamespace = env.BOX): InObject {
  const stub = namespace.get(namespace.newUniqueId());
  return {
    run: (task) => runInDurableObject(stub, (_, { storage }) => task(storage)),
    evict: () => evictDurableObject(stub),
  };
}

/** The store of a Durable Object, used from outside: each operation is one visit. */
export function storeIn(object: InObject, options: DurableObjectStoreOptions = {}): AtomicStore {
  const stores = new WeakMap<SqlDurableObjectStorage, AtomicStore>();
  const visit = <T>(task: (store: AtomicStore) => Promise<T>): Promise<T> =>
    object.run((storage) => {
      const store = stores.get(storage) ?? durableObjectStore(storage, options);
      stores.set(storage, store);
      return task(store);
    });
  return {
    name: 'durable-object:holdfast',
    durable: true,
    get: (key) => visit((store) => store.get(key)),
    body: (key) => visit((store) => store.body(key)),
    range: (query) => visit((store) => store.range(query)),
    rangeWithBodies: (query) => visit((store) => store.rangeWithBodies(query)),
    groups: (prefix, limit) => visit((store) => store.groups(prefix, limit)),
    count: (of) => visit((store) => store.count(of)),
    write: (changes) => visit((store) => store.write(changes)),
    change: (keys, decide, how) => visit((store) => store.change(keys, decide, how)),
    close: () => visit((store) => store.close()),
  };
}
