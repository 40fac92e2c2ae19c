/** What is asked of IndexedDB. Unlike time, this is the same in each run. */
export interface Asking {
  transactions: number;
  /** Those that may write. */
  writing: number;
  requests: number;
}

type Method = (...args: unknown[]) => unknown;

const READING = ['get', 'getAll', 'getKey', 'getAllKeys', 'count', 'openCursor', 'openKeyCursor'];
const WRITING = ['put', 'add', 'delete', 'clear'];

const WATCHED = [
  [() => IDBDatabase.prototype, ['transaction'], 'transactions'],
  [() => IDBObjectStore.prototype, [...READING, ...WRITING], 'requests'],
  [() => IDBIndex.prototype, READING, 'requests'],
] as const;

/** Counts while something is done, for one of so many. */
export async function counting(of: number, work: () => Promise<unknown>): Promise<Asking> {
  const asking: Asking = { transactions: 0, writing: 0, requests: 0 };
  const restore = WATCHED.flatMap(([prototype, names, figure]) =>
    names.map((name) =>
      watched(prototype() as object, name, (_, mode) => {
        asking[figure]++;
        if (mode === 'readwrite') asking.writing++;
      }),
    ),
  );
  try {
    await work();
  } finally {
    for (const undo of restore) undo();
  }
  const { transactions, writing, requests } = asking;
  return { transactions: transactions / of, writing: writing / of, requests: requests / of };
}

function watched(prototype: object, name: string, told: Method): () => void {
  const methods = prototype as Record<string, Method>;
  const original = methods[name] as Method;
  methods[name] = function (this: unknown, ...args) {
    told(...args);
    return original.apply(this, args);
  };
  return () => {
    methods[name] = original;
  };
}
