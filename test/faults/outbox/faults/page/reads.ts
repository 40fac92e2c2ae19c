/** Counts the reads of databases: records that a request returned, and steps of cursors. */
let records = 0;
let largest = 0;

export const reads = {
  begin(): void {
    records = 0;
    largest = 0;
  },
  /** @returns of all since `begin`, and of the largest single request. */
  end: (): { records: number; largest: number } => ({ records, largest }),
};

function count(read: number): void {
  records += read;
  largest = Math.max(largest, read);
}

type Read = (...args: unknown[]) => IDBRequest;

function counted(of: IDBObjectStore | IDBIndex, name: string, amount: (result: unknown) => number): void {
  const methods = of as unknown as { [name: string]: Read };
  const read = methods[name] as Read;
  methods[name] = function (this: unknown, ...args) {
    const request = read.apply(this, args);
    request.addEventListener('success', () => count(amount(request.result)));
    return request;
  };
}

for (const of of [IDBObjectStore.prototype, IDBIndex.prototype]) {
  for (const name of ['get', 'getKey', 'openCursor', 'openKeyCursor'])
    counted(of, name, (result) => (result === undefined || result === null ? 0 : 1));
  for (const name of ['getAll', 'getAllKeys']) counted(of, name, (result) => (result as unknown[]).length);
}
